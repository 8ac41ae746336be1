"""What the marketplace page shows: the two tables of the source documents, with their labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from chaincode.energy.hours import HOUR_MS, listing_id_at
from chaincode.energy.marketplace.labels import Label, is_reserved, label_for, taker_of
from chaincode.energy.marketplace.records import DEALT, Post, PostKind
from gateway.identity.sessions import Viewer
from gateway.identity.sight import post_as_seen
from gateway.readmodel.records import Slice
from gateway.services import Services
from gateway.web.languages import Language

POSTS_SHOWN = 100
"""Of each list of a page."""
HOURS_AHEAD = 24
_TO_DO = frozenset({Label.BUY, Label.DELETE, Label.REQUEST_TO_SELL})


class Listed(StrEnum):
    """What a page shows: all lists from their beginning, or one of them from a post on."""

    ALL = ""
    OFFERS = "offers"
    REQUESTS = "requests"
    DEALS = "deals"


@dataclass(frozen=True, slots=True)
class PostRow:
    """One row. `is_open`: the label names something the viewer can do now."""

    post: Post
    owner_idgrid: str
    """Who posted; empty if the viewer is not shown it."""
    label: str
    is_open: bool
    is_own: bool
    may_decide: bool
    """The viewer's own request, which somebody asked to serve."""
    may_reserve: bool
    """An offer that nobody holds; holding it locks its price."""
    held_until_ms: int
    """So long the viewer holds the offer, or waits for the requester's word; 0: it does not."""
    may_confirm: bool
    """Own deal, delivered and unsettled: without readings its parties say what came."""


@dataclass(frozen=True, slots=True)
class MarketplaceView:
    """A page; a list that it leaves out has no rows."""

    idgrid: str | None
    listed: Listed
    hours: Sequence[tuple[str, str]]
    """Delivery hours a post can be made for: listing id and words."""
    offers: Slice[PostRow]
    requests: Slice[PostRow]
    unconfirmed: Slice[PostRow]
    """Deals of the viewer that wait for readings, or for what both sides say came."""


def marketplace_view(
    services: Services,
    viewer: Viewer | None,
    words: Language,
    *,
    listed: Listed = Listed.ALL,
    before: str | None = None,
) -> MarketplaceView:
    """Offers and requests, the latest delivery hour first, as this viewer sees them.

    `before` is the last post of the page before. What is posted meanwhile moves no other post.
    """
    idgrid = viewer.idgrid if viewer is not None else None
    posts = services.marketplace.posts_behind(before)

    def rows(name: Listed, is_in: Callable[[Post], bool]) -> Slice[PostRow]:
        if listed not in {Listed.ALL, name}:
            return Slice([], None)
        found: list[PostRow] = []
        for post in posts:
            if not is_in(post):
                continue
            if len(found) == POSTS_SHOWN:
                return Slice(found, found[-1].post.post_id)
            found.append(_row(services, post, viewer))
        return Slice(found, None)

    return MarketplaceView(
        idgrid=idgrid,
        listed=listed,
        hours=[(name, words.hour(name, services.local_time)) for name in hours_ahead(services)],
        offers=rows(Listed.OFFERS, lambda post: post.kind == PostKind.OFFER),
        requests=rows(Listed.REQUESTS, lambda post: post.kind == PostKind.REQUEST),
        unconfirmed=rows(Listed.DEALS, lambda post: _may_confirm(services, post, idgrid)),
    )


def hours_ahead(services: Services) -> list[str]:
    """Hours one can post for: those with a listing that has not begun, and the next day's.

    Where a market hour lasts less than an hour, the next day's only if no listing is left.
    """
    now_ms = services.clock_ms()
    listed = [listing.listing_id for listing in services.market.delivering_after(now_ms)]
    if services.energy_hour_ms == HOUR_MS or not listed:
        listed += [
            listing_id_at(now_ms + number * HOUR_MS) for number in range(1, HOURS_AHEAD + 1)
        ]
    return sorted(set(listed))


def _row(services: Services, post: Post, viewer: Viewer | None) -> PostRow:
    idgrid = viewer.idgrid if viewer is not None else None
    label = label_for(post, viewer_idgrid=idgrid, now_ms=services.clock_ms())
    is_own = post.owner_idgrid == idgrid
    seen = post_as_seen(post, viewer)
    is_held = is_reserved(post, services.clock_ms())
    return PostRow(
        post=seen,
        owner_idgrid=seen.owner_idgrid,
        label=label.value,
        is_open=label in _TO_DO,
        is_own=is_own,
        may_decide=is_own and label is Label.REQUESTED_FOR_SELL and post.needs_acceptance,
        may_reserve=bool(idgrid) and label is Label.BUY and not is_held,
        held_until_ms=post.reserved_until_ms if is_held and taker_of(post) == idgrid else 0,
        may_confirm=_may_confirm(services, post, idgrid),
    )


def _may_confirm(services: Services, post: Post, idgrid: str | None) -> bool:
    return (
        bool(idgrid)
        and idgrid in (post.seller_idgrid, post.buyer_idgrid)
        and post.state in DEALT
        and services.clock_ms() >= post.delivery_end_ms
    )

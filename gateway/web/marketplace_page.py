"""What the marketplace page shows: the two tables of the source documents, with their labels."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaincode.energy.hours import HOUR_MS, listing_id_at
from chaincode.energy.marketplace.labels import Label, is_reserved, label_for, taker_of
from chaincode.energy.marketplace.records import DEALT, Post, PostKind
from gateway.identity.sessions import Viewer
from gateway.identity.sight import post_as_seen
from gateway.services import Services
from gateway.web.languages import Language

POSTS_SHOWN = 100
HOURS_AHEAD = 24
_TO_DO = frozenset({Label.BUY, Label.DELETE, Label.REQUEST_TO_SELL})


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
    """The whole page."""

    idgrid: str | None
    hours: Sequence[tuple[str, str]]
    """Delivery hours a post can be made for: listing id and words."""
    offers: Sequence[PostRow]
    requests: Sequence[PostRow]
    unconfirmed: Sequence[PostRow]
    """Deals of the viewer that wait for readings, or for what both sides say came."""


def marketplace_view(
    services: Services, viewer: Viewer | None, words: Language
) -> MarketplaceView:
    """Offers and requests, the latest delivery hour first, as this viewer sees them."""
    idgrid = viewer.idgrid if viewer is not None else None
    rows = [_row(services, post, viewer) for post in services.marketplace.posts()]
    return MarketplaceView(
        idgrid=idgrid,
        hours=[(name, words.hour(name, services.local_time)) for name in hours_ahead(services)],
        offers=[row for row in rows if row.post.kind == PostKind.OFFER][:POSTS_SHOWN],
        requests=[row for row in rows if row.post.kind == PostKind.REQUEST][:POSTS_SHOWN],
        unconfirmed=[row for row in rows if row.may_confirm][:POSTS_SHOWN],
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
        may_confirm=bool(idgrid)
        and idgrid in (post.seller_idgrid, post.buyer_idgrid)
        and post.state in DEALT
        and services.clock_ms() >= post.delivery_end_ms,
    )

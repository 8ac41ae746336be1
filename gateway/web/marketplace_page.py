"""What the marketplace page shows: the two tables of the source documents, with their labels."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaincode.energy.hours import HOUR_MS, listing_id_at
from chaincode.energy.marketplace.labels import Label, label_for
from chaincode.energy.marketplace.records import Post, PostKind
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


@dataclass(frozen=True, slots=True)
class MarketplaceView:
    """The whole page."""

    idgrid: str | None
    hours: Sequence[tuple[str, str]]
    """Delivery hours a post can be made for: listing id and words."""
    offers: Sequence[PostRow]
    requests: Sequence[PostRow]


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
    return PostRow(
        post=post,
        owner_idgrid=post_as_seen(post, viewer).owner_idgrid,
        label=label.value,
        is_open=label in _TO_DO,
        is_own=is_own,
        may_decide=is_own and label is Label.REQUESTED_FOR_SELL and post.needs_acceptance,
    )

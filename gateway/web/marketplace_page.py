"""What the marketplace page shows: the two tables of the source documents, with their labels."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaincode.energy.marketplace.labels import Label, label_for
from chaincode.energy.marketplace.records import Post, PostKind
from gateway.services import Services
from gateway.sessions import Viewer
from gateway.web.page import hour_label

POSTS_SHOWN = 100
_TO_DO = frozenset({Label.BUY, Label.DELETE, Label.REQUEST_TO_SELL})


@dataclass(frozen=True, slots=True)
class PostRow:
    """One row. `is_open`: the label names something the viewer can do now."""

    post: Post
    hour: str
    label: str
    is_open: bool
    is_own: bool


@dataclass(frozen=True, slots=True)
class MarketplaceView:
    """The whole page."""

    community_name: str
    idgrid: str | None
    offers: Sequence[PostRow]
    requests: Sequence[PostRow]


def marketplace_view(services: Services, viewer: Viewer | None) -> MarketplaceView:
    """Offers and requests, the latest delivery hour first, as this viewer sees them."""
    idgrid = viewer.idgrid if viewer is not None else None
    rows = [_row(services, post, idgrid) for post in services.marketplace.posts()]
    return MarketplaceView(
        community_name=services.community_name,
        idgrid=idgrid,
        offers=[row for row in rows if row.post.kind == PostKind.OFFER][:POSTS_SHOWN],
        requests=[row for row in rows if row.post.kind == PostKind.REQUEST][:POSTS_SHOWN],
    )


def _row(services: Services, post: Post, idgrid: str | None) -> PostRow:
    label = label_for(post, viewer_idgrid=idgrid, now_ms=services.clock_ms())
    return PostRow(
        post=post,
        hour=hour_label(post.hour, services.utc_offset_minutes),
        label=label.value,
        is_open=label in _TO_DO,
        is_own=post.owner_idgrid == idgrid,
    )

"""Reading the marketplace: offers and requests with what the viewer can do with each."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query

from chaincode.energy.marketplace.labels import label_for
from chaincode.energy.marketplace.records import Post
from gateway.api.access import MaybeSignedIn, UsedServices
from gateway.api.market_answers import ShownPost
from gateway.api.schemas import PAGE_DEFAULT, Page, PageLimit
from gateway.errors import Problem, RequestRefused
from gateway.identity.sessions import Viewer
from gateway.identity.sight import post_as_seen

router = APIRouter(prefix="/v1/marketplace", tags=["marketplace"])

_HOUR = r"\d{4}-\d{2}-\d{2}T\d{2}"
Hour = Annotated[str | None, Query(pattern=rf"^{_HOUR}$")]
PostId = Annotated[str, Path(pattern=rf"^{_HOUR}\.[0-9a-f]{{1,64}}$")]
After = Annotated[str | None, Query(pattern=rf"^{_HOUR}\.[0-9a-f]{{1,64}}$")]


@router.get("/posts")
def posts(
    services: UsedServices,
    viewer: MaybeSignedIn,
    hour: Hour = None,
    after: After = None,
    limit: PageLimit = PAGE_DEFAULT,
) -> Page[ShownPost]:
    """Offers and requests, the latest delivery hour first; `label` and names are the viewer's."""
    found = services.marketplace.posts(hour)
    start = 0
    if after is not None:
        names = [post.post_id for post in found]
        start = names.index(after) + 1 if after in names else len(found)
    page = found[start : start + limit]
    return Page(
        items=[_shown(each, viewer, services.clock_ms()) for each in page],
        next=page[-1].post_id if len(found) > start + limit else None,
        height=services.readmodel.height,
    )


@router.get("/posts/{post_id}")
def post(post_id: PostId, services: UsedServices, viewer: MaybeSignedIn) -> ShownPost:
    """One offer or request."""
    found = services.marketplace.post(post_id)
    if found is None:
        raise RequestRefused(Problem.NOT_FOUND, f"there is no offer or request {post_id}")
    return _shown(found, viewer, services.clock_ms())


def _shown(post: Post, viewer: Viewer | None, now_ms: int) -> ShownPost:
    idgrid = viewer.idgrid if viewer else None
    label = label_for(post, viewer_idgrid=idgrid, now_ms=now_ms)
    return ShownPost(**asdict(post_as_seen(post, viewer)), label=label)

"""Reading the marketplace: offers and requests with what the viewer can do with each."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from chaincode.energy.marketplace.views import shown
from gateway.api.access import UsedServices, viewer_or_none
from gateway.api.schemas import PAGE_DEFAULT, Page, PageLimit
from gateway.errors import Problem, RequestRefused

router = APIRouter(prefix="/v1/marketplace", tags=["marketplace"])

_HOUR = r"\d{4}-\d{2}-\d{2}T\d{2}"
Hour = Annotated[str | None, Query(pattern=rf"^{_HOUR}$")]
PostId = Annotated[str, Path(pattern=rf"^{_HOUR}\.[0-9a-f]{{1,64}}$")]
After = Annotated[str | None, Query(pattern=rf"^{_HOUR}\.[0-9a-f]{{1,64}}$")]


@router.get("/posts")
def posts(
    request: Request,
    services: UsedServices,
    hour: Hour = None,
    after: After = None,
    limit: PageLimit = PAGE_DEFAULT,
) -> Page[dict[str, Any]]:
    """Offers and requests, the latest delivery hour first; `label` is for the viewer."""
    found = services.marketplace.posts(hour)
    start = 0
    if after is not None:
        names = [post.post_id for post in found]
        start = names.index(after) + 1 if after in names else len(found)
    page = found[start : start + limit]
    viewer = viewer_or_none(request)
    idgrid, now_ms = viewer.idgrid if viewer else None, services.clock_ms()
    return Page(
        items=[shown(post, idgrid, now_ms) for post in page],
        next=page[-1].post_id if len(found) > start + limit else None,
        height=services.readmodel.height,
    )


@router.get("/posts/{post_id}")
def post(request: Request, post_id: PostId, services: UsedServices) -> dict[str, Any]:
    """One offer or request."""
    found = services.marketplace.post(post_id)
    if found is None:
        raise RequestRefused(Problem.NOT_FOUND, f"there is no offer or request {post_id}")
    viewer = viewer_or_none(request)
    return shown(found, viewer.idgrid if viewer else None, services.clock_ms())

"""Whether the stored raw data is what was anchored (docs/mqtt.md), for the manager."""

from fastapi import APIRouter

from gateway.api.access import LiveServices, SignedIn, require_scope
from gateway.errors import Problem, RequestRefused
from gateway.hems.tampering import Comparison, TamperWatch
from gateway.identity.scopes import Scope
from gateway.services import Services

router = APIRouter(prefix="/v1", tags=["devices"])


@router.get("/raw-data/comparison")
async def last_comparison(services: LiveServices, viewer: SignedIn) -> Comparison | None:
    """What the last whole comparison found; null before the first one."""
    require_scope(viewer, Scope.COMMUNITY_READ)
    return _watch(services).latest


@router.post("/raw-data/comparison")
async def compare_now(services: LiveServices, viewer: SignedIn) -> Comparison:
    """Compare every stored row with the anchors now; raises and clears the alarms by it."""
    require_scope(viewer, Scope.COMMUNITY_WRITE)
    return await _watch(services).compare_all()


def _watch(services: Services) -> TamperWatch:
    """404 in a gateway that anchors nothing."""
    if services.tamper_watch is None:
        raise RequestRefused(Problem.NOT_FOUND, "this gateway anchors nothing")
    return services.tamper_watch

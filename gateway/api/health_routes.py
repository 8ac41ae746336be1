"""Whether this gateway lives and whether it can serve, for load balancers and containers."""

from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter

from gateway.api.access import LiveServices
from gateway.readiness import Ready

router = APIRouter(tags=["health"])


@dataclass(frozen=True, slots=True)
class Alive:
    """The process answers; nothing else was asked."""

    status: Literal["alive"] = "alive"


@router.get("/healthz")
async def alive() -> Alive:
    """The process answers; asks neither the database nor a peer."""
    return Alive()


@router.get("/readyz")
async def ready(services: LiveServices) -> Ready:
    """The database and a peer answer, the read model is near that peer's height; else 503."""
    return await services.readiness.find()

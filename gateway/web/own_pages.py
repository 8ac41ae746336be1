"""Whose page it is: a household reads its own, everybody else is a visitor or is refused."""

from fastapi import Request

from gateway.api.access import viewer_or_none
from gateway.errors import Problem, RequestRefused
from gateway.identity.scopes import Scope
from gateway.identity.sessions import Viewer


def reader_or_none(request: Request) -> Viewer | None:
    """Who is signed in; a script's token that may not read its owner's data is a visitor."""
    viewer = viewer_or_none(request)
    return viewer if viewer is not None and viewer.may(Scope.OWN_READ) else None


def household_of(viewer: Viewer) -> str:
    """The IDgrid of whoever reads a page that belongs to a household; 403 for anybody else."""
    if not viewer.idgrid or not viewer.may(Scope.OWN_READ):
        raise RequestRefused(Problem.FORBIDDEN, "this page belongs to a household")
    return viewer.idgrid

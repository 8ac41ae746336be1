"""The pages behind the `type` URIs of problems, and the login link."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse

from gateway.api.access import SESSION_COOKIE, LiveServices, session_token, try_of_secret
from gateway.api.session_cookie import set_session_cookie
from gateway.errors import Problem, RequestRefused

router = APIRouter()


@dataclass(frozen=True, slots=True)
class ExplainedProblem:
    """A `type` of problem: the HTTP status it always has, and what to do."""

    type: str
    status: int
    title: str
    advice: str


@router.get("/problems", tags=["problems"])
async def problems() -> list[ExplainedProblem]:
    """Every problem this gateway answers with."""
    return [_entry(problem) for problem in Problem]


@router.get("/problems/{slug}", tags=["problems"])
async def problem(slug: str) -> ExplainedProblem:
    """One problem: what it means and what to do."""
    for candidate in Problem:
        if candidate.value.slug == slug:
            return _entry(candidate)
    raise RequestRefused(Problem.NOT_FOUND, f"there is no problem {slug}")


@router.get("/login/{token}", include_in_schema=False)
def login(token: str, request: Request, services: LiveServices) -> RedirectResponse:
    """Use a one-time link: the session's cookie, and on to the page."""
    response = RedirectResponse("/", status_code=303)
    with try_of_secret(request):
        session = services.sessions.open(token)
    set_session_cookie(response, session, request)
    return response


@router.post("/logout", include_in_schema=False)
def logout(request: Request, services: LiveServices) -> RedirectResponse:
    """End the session."""
    token = session_token(request)
    if token:
        services.sessions.close(token)
    response = RedirectResponse("/", status_code=303)
    response.delete_cookie(SESSION_COOKIE)
    return response


def _entry(problem: Problem) -> ExplainedProblem:
    kind = problem.value
    return ExplainedProblem(f"/problems/{kind.slug}", kind.status, kind.title, kind.advice)

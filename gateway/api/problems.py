"""RFC 9457 problem details for every error, whoever raised it: one shape, never under `detail`."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from gateway.errors import FieldError, Problem, RequestRefused

MEDIA_TYPE = "application/problem+json"
FIELD_ERRORS_MAX = 20
PATH_CHARACTERS = "/:@!$&'()*+,;=~"
"""Of a URI's path, RFC 3986 section 3.3; everything else is percent-encoded."""

RefusalPage = Callable[[Request, RequestRefused], Response]
"""Makes the page that a person sees."""

logger = logging.getLogger(__name__)

_BY_STATUS = {
    400: Problem.MALFORMED,
    401: Problem.NOT_SIGNED_IN,
    403: Problem.FORBIDDEN,
    404: Problem.NOT_FOUND,
    405: Problem.METHOD_NOT_ALLOWED,
    413: Problem.BODY_TOO_LARGE,
    415: Problem.UNSUPPORTED_MEDIA,
    422: Problem.INVALID,
    429: Problem.TOO_MANY_REQUESTS,
}


def type_uri(problem: Problem) -> str:
    """The `type` of a problem: a page of this gateway that explains it."""
    return f"/problems/{problem.value.slug}"


def problem_body(
    problem: Problem,
    detail: str,
    *,
    instance: str,
    errors: Sequence[FieldError] = (),
    extensions: Mapping[str, object] | None = None,
) -> bytes:
    """The JSON document; `instance` is the path that was asked for."""
    content: dict[str, object] = {
        "type": type_uri(problem),
        "title": problem.value.title,
        "status": problem.value.status,
        "detail": detail,
        "instance": quote(instance, safe=PATH_CHARACTERS),
    }
    if errors:
        content["errors"] = [{"pointer": e.pointer, "detail": e.detail} for e in errors]
    content |= dict(extensions or {})
    return json.dumps(content, ensure_ascii=False).encode()


def problem_response(request: Request, refused: RequestRefused) -> Response:
    """A refusal as a response: a page for a browser that asks for one, else a problem document."""
    page: RefusalPage | None = request.app.state.refusal_page
    if page is not None and "text/html" in request.headers.get("accept", ""):
        return page(request, refused)
    return Response(
        problem_body(
            refused.problem,
            refused.detail,
            instance=request.url.path,
            errors=refused.errors,
            extensions=refused.extensions,
        ),
        status_code=refused.problem.value.status,
        media_type=MEDIA_TYPE,
        headers=refused.headers,
    )


def install_problem_handlers(app: FastAPI, *, page: RefusalPage | None = None) -> None:
    """Answer every error of the app with a problem document, or a browser with a page."""
    app.state.refusal_page = page

    async def on_refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestRefused)
        return problem_response(request, error)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return problem_response(request, _invalid(error.errors()))

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = _BY_STATUS.get(error.status_code, Problem.INTERNAL)
        return problem_response(
            request,
            RequestRefused(kind, kind.value.advice, headers=dict(error.headers or {})),
        )

    async def on_fault(request: Request, error: Exception) -> Response:
        # The route, not the path: a login link's token is a part of its path.
        route = getattr(request.scope.get("route"), "path", "no route")
        logger.error("request failed: %s %s", request.method, route, exc_info=error)
        return problem_response(
            request, RequestRefused(Problem.INTERNAL, Problem.INTERNAL.value.advice)
        )

    app.add_exception_handler(RequestRefused, on_refused)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_fault)


def _invalid(found: Sequence[Any]) -> RequestRefused:
    """400 for what is not JSON at all, 422 naming each field otherwise."""
    if any(error["type"] == "json_invalid" for error in found):
        return RequestRefused(Problem.MALFORMED, "the body is not valid JSON")
    errors = tuple(
        FieldError("/" + "/".join(str(part) for part in error["loc"]), str(error["msg"]))
        for error in found[:FIELD_ERRORS_MAX]
    )
    return RequestRefused(
        Problem.INVALID, f"{errors[0].pointer}: {errors[0].detail}", errors=errors
    )

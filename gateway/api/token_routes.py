"""Tokens for scripts: a household's for its own data, the manager's also for staff of members."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Response, status
from pydantic import Field, StringConstraints

from gateway.api.access import LiveServices, TokenMaker
from gateway.api.schemas import Body, Page
from gateway.identity.scopes import Role, Scope
from gateway.shared_state.api_tokens import LIFETIME_DAYS_MAX, ApiToken

LIFETIME_DAYS_DEFAULT = 90

router = APIRouter(prefix="/v1/tokens", tags=["tokens"])


class TokenRequest(Body):
    """A token: what for, whose role (the maker's own by default), which scopes, how long."""

    label: Annotated[
        str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]+$")
    ]
    role: Role | None = None
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    lifetime_days: Annotated[int, Field(strict=True, ge=1, le=LIFETIME_DAYS_MAX)] = (
        LIFETIME_DAYS_DEFAULT
    )


@dataclass(frozen=True, slots=True)
class MadeToken:
    """`token` is shown now and never again; send it as `Authorization: Bearer`."""

    token: str
    made: ApiToken


@router.post("", status_code=status.HTTP_201_CREATED)
def make_token(
    body: TokenRequest, services: LiveServices, viewer: TokenMaker, response: Response
) -> MadeToken:
    """A token for a script. It can do at most what its role can, and never make tokens."""
    text, made = services.api_tokens.make(
        maker=viewer.role,
        role=body.role or viewer.role,
        idgrid=viewer.idgrid,
        scopes=body.scopes,
        label=body.label,
        lifetime_days=body.lifetime_days,
        key_fingerprint=viewer.key_fingerprint,
    )
    response.headers["Location"] = f"/v1/tokens/{made.token_id}"
    return MadeToken(text, made)


@router.get("")
def tokens(services: LiveServices, viewer: TokenMaker) -> Page[ApiToken]:
    """One's live tokens, the newest first, without their text; at most 50."""
    found = services.api_tokens.of(viewer.idgrid)
    return Page(items=found, next=None, height=services.blocks.height)


@router.delete("/{token_id}", status_code=status.HTTP_204_NO_CONTENT)
def revoke_token(
    token_id: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")],
    services: LiveServices,
    viewer: TokenMaker,
) -> None:
    """End a token at once."""
    services.api_tokens.revoke(token_id, viewer.idgrid)

"""Webhooks of one's own household: notices are posted there, signed (docs/notices.md)."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Response, status
from pydantic import StringConstraints

from gateway.api.access import LiveServices, SignedInPerson
from gateway.api.schemas import Body, Page, also_refused
from gateway.errors import Problem, RequestRefused
from gateway.identity.sessions import Viewer
from gateway.notices.outside_http import URL_CHARACTERS_MAX
from gateway.notices.webhooks import Webhook, Webhooks
from gateway.services import Services

router = APIRouter(prefix="/v1/webhooks", tags=["notices"])

WebhookId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]


class WebhookRequest(Body):
    """Where to post to: an address with https."""

    url: Annotated[
        str, StringConstraints(min_length=1, max_length=URL_CHARACTERS_MAX, pattern=r"^[!-~]+$")
    ]


@dataclass(frozen=True, slots=True)
class MadeWebhook:
    """`secret` is shown now and never again; what is posted is signed with it."""

    secret: str
    made: Webhook


@router.post("", status_code=status.HTTP_201_CREATED, openapi_extra=also_refused(409))
def make_webhook(
    body: WebhookRequest, services: LiveServices, viewer: SignedInPerson, response: Response
) -> MadeWebhook:
    """Post this household's notices to an address from now on, as its choices say."""
    idgrid = household_of(viewer)
    webhooks = webhooks_of(services)
    secret, made = webhooks.add(idgrid, body.url, key_fingerprint=viewer.key_fingerprint)
    response.headers["Location"] = f"/v1/webhooks/{made.webhook_id}"
    return MadeWebhook(secret, made)


@router.get("")
def list_webhooks(services: LiveServices, viewer: SignedInPerson) -> Page[Webhook]:
    """One's webhooks, the oldest first, and how the newest notice to each fared; at most 5."""
    found = webhooks_of(services).of(household_of(viewer))
    return Page(items=found, next=None, height=services.blocks.height)


@router.delete("/{webhook_id}", status_code=status.HTTP_204_NO_CONTENT)
def remove_webhook(webhook_id: WebhookId, services: LiveServices, viewer: SignedInPerson) -> None:
    """Post nothing more there, not even what waits."""
    webhooks_of(services).remove(webhook_id, household_of(viewer))


def webhooks_of(services: Services) -> Webhooks:
    """The gateway's webhooks; 404 where it has none."""
    if services.notice_ways.webhooks is None:
        raise RequestRefused(Problem.NOT_FOUND, "this gateway has no webhooks")
    return services.notice_ways.webhooks


def household_of(viewer: Viewer) -> str:
    """The IDgrid of a person of a household; 403 for everybody else."""
    if not viewer.idgrid or viewer.token_scopes is not None:
        raise RequestRefused(Problem.FORBIDDEN, "notices belong to a person of a household")
    return viewer.idgrid

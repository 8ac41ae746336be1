"""Browsers of one's own household that show its notices (Web Push, docs/notices.md)."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Response, status
from pydantic import StringConstraints

from gateway.api.access import LiveServices, SignedInPerson
from gateway.api.schemas import Body, Page
from gateway.api.webhook_routes import household_of
from gateway.errors import Problem, RequestRefused
from gateway.notices.outside_http import URL_CHARACTERS_MAX
from gateway.notices.push_devices import (
    LABEL_CHARACTERS_MAX,
    PushDevice,
    PushDevices,
    Subscription,
    from_base64url,
    to_base64url,
)
from gateway.services import Services

router = APIRouter(prefix="/v1/push-devices", tags=["notices"])

PushId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
Base64Url = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22,88}$")]


class PushKeys(Body):
    """Of the browser's subscription, base64url without padding."""

    p256dh: Base64Url
    auth: Base64Url


class PushRequest(Body):
    """What the browser's push manager gave, and a name for the device."""

    endpoint: Annotated[
        str, StringConstraints(min_length=1, max_length=URL_CHARACTERS_MAX, pattern=r"^[!-~]+$")
    ]
    keys: PushKeys
    label: Annotated[
        str, StringConstraints(max_length=LABEL_CHARACTERS_MAX, pattern=r"^[^\x00-\x1f]*$")
    ] = ""


@dataclass(frozen=True, slots=True)
class PushKey:
    """`applicationServerKey` for the browser's push manager: P-256 point, base64url."""

    public_key: str


@router.get("/key")
def push_key(services: LiveServices, viewer: SignedInPerson) -> PushKey:
    """The gateway's key, which a browser names when it asks to be told."""
    household_of(viewer)
    return PushKey(to_base64url(push_devices_of(services).public_key))


@router.post("", status_code=status.HTTP_201_CREATED)
def add_push_device(
    body: PushRequest, services: LiveServices, viewer: SignedInPerson, response: Response
) -> PushDevice:
    """Show this household's notices in a browser from now on, as its choices say."""
    idgrid = household_of(viewer)
    try:
        keys = from_base64url(body.keys.p256dh), from_base64url(body.keys.auth)
    except ValueError as error:
        raise RequestRefused(Problem.INVALID, "a key is not base64url") from error
    subscription = Subscription(body.endpoint, *keys)
    device = push_devices_of(services).add(
        idgrid, subscription, body.label, key_fingerprint=viewer.key_fingerprint
    )
    response.headers["Location"] = f"/v1/push-devices/{device.push_id}"
    return device


@router.get("")
def list_push_devices(services: LiveServices, viewer: SignedInPerson) -> Page[PushDevice]:
    """One's browsers that are told, the oldest first; at most 10."""
    found = push_devices_of(services).of(household_of(viewer))
    return Page(items=found, next=None, height=services.blocks.height)


@router.delete("/{push_id}", status_code=status.HTTP_204_NO_CONTENT)
def remove_push_device(push_id: PushId, services: LiveServices, viewer: SignedInPerson) -> None:
    """Tell a browser nothing more, not even what waits."""
    push_devices_of(services).remove(push_id, household_of(viewer))


def push_devices_of(services: Services) -> PushDevices:
    """The gateway's browsers; 404 where it has no Web Push."""
    if services.notice_ways.push is None:
        raise RequestRefused(Problem.NOT_FOUND, "this gateway has no Web Push")
    return services.notice_ways.push

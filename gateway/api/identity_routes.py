"""Enrolment, login, devices. Keys are made and used in the browser; see docs/keys.md."""

from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import StringConstraints

from gateway.api.access import (
    SESSION_COOKIE,
    LiveServices,
    LogActor,
    Manager,
    SignedInPerson,
    session_token,
    try_of_secret,
)
from gateway.api.identity_answers import (
    Challenge,
    EnrolmentState,
    LettersCompared,
    WrittenLetter,
)
from gateway.api.letters import letter_url, qr_code_svg
from gateway.api.schemas import PAGE_DEFAULT, Body, DeviceLabel, Page, PageLimit, also_refused
from gateway.api.session_cookie import begin_session, site_of
from gateway.errors import Problem, RequestRefused
from gateway.identity.device_keys import AskingDevice, NamedKey
from gateway.identity.enrolment import Asked, Letter, Waiting
from gateway.identity.identity_log import LogEntry
from gateway.identity.issuing import Certified
from gateway.identity.passwords import PASSWORD_CHARACTERS_MAX, PASSWORD_CHARACTERS_MIN
from gateway.identity.sessions import Viewer, Way
from gateway.identity.signing_requests import REQUEST_CHARACTERS_MAX, fingerprint_of_request

CODE_CHARACTERS_MAX = 40

router = APIRouter(prefix="/v1", tags=["identity"])

RequestId = Annotated[str, Path(pattern=r"^[0-9a-f]{24}$")]
Idgrid = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{4,32}$")]
Code = Annotated[str, StringConstraints(min_length=1, max_length=CODE_CHARACTERS_MAX)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=64)]
RequestPem = Annotated[str, StringConstraints(min_length=1, max_length=REQUEST_CHARACTERS_MAX)]
Password = Annotated[str, StringConstraints(max_length=PASSWORD_CHARACTERS_MAX)]
Base64 = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9+/]+={0,2}$")
]


class LetterRequest(Body):
    """For whom a letter is, and whether for a first key or for a lost one."""

    idgrid: Idgrid
    purpose: Literal["enrol", "recover"]


class CodeBody(Body):
    """The code of a letter."""

    code: Code


class EnrolmentRequest(Body):
    """A letter's code and the key it is used for."""

    code: Code
    request_pem: RequestPem
    label: DeviceLabel = ""


class SecretBody(Body):
    """The secret that who made a request was given."""

    secret: Secret


class Approval(Body):
    """The twelve letters that the household showed."""

    comparison_code: Code


class KeyBody(Body):
    """A key of a device that is signed in."""

    request_pem: RequestPem
    label: DeviceLabel = ""


class PasswordLogin(Body):
    """IDgrid and password."""

    idgrid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    password: Password


class KeyLoginBody(Body):
    """Who signs in, with which key (DER), and its signature; all but the IDgrid in base64."""

    idgrid: Idgrid
    public_key: Base64
    challenge: Base64
    signature: Base64


class NewPassword(Body):
    """A new password; `current` if there is one."""

    password: Annotated[
        str,
        StringConstraints(min_length=PASSWORD_CHARACTERS_MIN, max_length=PASSWORD_CHARACTERS_MAX),
    ]
    current: Password = ""


@router.post("/letters", status_code=status.HTTP_201_CREATED, openapi_extra=also_refused(404, 409))
def write_letter(
    body: LetterRequest,
    request: Request,
    services: LiveServices,
    actor: LogActor,
    _manager: Manager,
) -> WrittenLetter:
    """Manager: a one-time letter. The code is shown now and never again."""
    enrolment = services.people.enrolment
    code, letter = enrolment.write_letter(body.idgrid, body.purpose, actor=actor)
    url = letter_url(request, code)
    return WrittenLetter(**asdict(letter), code=code, url=url, qr_svg=qr_code_svg(url))


@router.post("/letters/open", openapi_extra=also_refused(401))
def open_letter(body: CodeBody, request: Request, services: LiveServices) -> Letter:
    """What a code is for; it is not used up by this."""
    with try_of_secret(request):
        return services.people.enrolment.open_letter(body.code)


@router.post(
    "/enrolments", status_code=status.HTTP_201_CREATED, openapi_extra=also_refused(401, 409)
)
def ask_to_enrol(body: EnrolmentRequest, request: Request, services: LiveServices) -> Asked:
    """Use a letter up: the key in the signing request waits for the manager."""
    with try_of_secret(request):
        return services.people.enrolment.ask(body.code, body.request_pem, body.label)


@router.get("/enrolments")
def waiting_enrolments(services: LiveServices, _manager: Manager) -> Page[Waiting]:
    """Manager: requests that wait. The letters to compare are on the household's screen only."""
    found = services.people.enrolment.waiting()
    return Page(items=found, next=None, height=services.readmodel.height)


@router.post("/enrolments/{request_id}/collect")
def collect(
    request_id: RequestId, body: SecretBody, request: Request, services: LiveServices
) -> EnrolmentState:
    """How a request stands, for who made it; the certificate once it is approved."""
    with try_of_secret(request):
        found = services.people.enrolment.collect(request_id, body.secret)
    if found.certified is None:
        return EnrolmentState(found.state, found.idgrid)
    return EnrolmentState(found.state, found.idgrid, **asdict(found.certified))


@router.post("/enrolments/{request_id}/session", status_code=status.HTTP_204_NO_CONTENT)
def first_session(
    request_id: RequestId,
    body: SecretBody,
    request: Request,
    response: Response,
    services: LiveServices,
) -> None:
    """The certificate has arrived: the household's first session, once."""
    with try_of_secret(request):
        idgrid, fingerprint = services.people.enrolment.finish(request_id, body.secret)
    viewer = Viewer(idgrid, key_fingerprint=fingerprint)
    begin_session(services, viewer, request, response, Way.LETTER)


@router.post("/enrolments/{request_id}/compare")
def compare(
    request_id: RequestId, body: Approval, services: LiveServices, _manager: Manager
) -> LettersCompared:
    """Manager: compare letters before anything is signed; tells if the key is named already."""
    return LettersCompared(services.people.enrolment.compare(request_id, body.comparison_code))


@router.post("/enrolments/{request_id}/approve", status_code=status.HTTP_204_NO_CONTENT)
def approve(
    request_id: RequestId,
    body: Approval,
    services: LiveServices,
    actor: LogActor,
    _manager: Manager,
) -> None:
    """Manager: the letters were compared and the key is on the ledger; certify it."""
    services.people.enrolment.approve(request_id, body.comparison_code, actor=actor)


@router.post("/enrolments/{request_id}/refuse", status_code=status.HTTP_204_NO_CONTENT)
def refuse_enrolment(
    request_id: RequestId, services: LiveServices, actor: LogActor, _manager: Manager
) -> None:
    """Manager: this request is not from the household."""
    services.people.enrolment.refuse(request_id, actor=actor)


@router.get("/keys")
def own_keys(services: LiveServices, viewer: SignedInPerson) -> Page[NamedKey]:
    """The household's keys as the ledger names them, the newest first."""
    found = services.people.device_keys.named(viewer.idgrid)
    return Page(items=found, next=None, height=services.readmodel.height)


@router.get("/keys/requests")
def asking_devices(services: LiveServices, viewer: SignedInPerson) -> Page[AskingDevice]:
    """New devices of the household that wait for one that can sign."""
    found = services.people.device_keys.asking(viewer.idgrid)
    return Page(items=found, next=None, height=services.readmodel.height)


@router.post("/keys/requests", status_code=status.HTTP_201_CREATED)
def ask_own_devices(body: KeyBody, services: LiveServices, viewer: SignedInPerson) -> AskingDevice:
    """A new device asks one that can sign to name its key on the ledger."""
    _require_household(viewer)
    return services.people.device_keys.ask(viewer.idgrid, body.request_pem, body.label)


@router.post("/keys/requests/{request_id}/refuse", status_code=status.HTTP_204_NO_CONTENT)
def refuse_device(request_id: RequestId, services: LiveServices, viewer: SignedInPerson) -> None:
    """This device is not the household's."""
    services.people.device_keys.refuse(viewer.idgrid, request_id)


@router.post("/keys/certificates")
def certificate(
    body: KeyBody, request: Request, services: LiveServices, viewer: SignedInPerson
) -> Certified:
    """The certificate of a key that the ledger names for the household; 409 for any other.

    The session belongs to this key from now on, and ends with it, unless it is an agent's.
    """
    _require_household(viewer)
    certified = services.people.device_keys.certificate(viewer.idgrid, body.request_pem)
    fingerprint = fingerprint_of_request(body.request_pem)
    if services.people.device_keys.is_device(viewer.idgrid, fingerprint):
        services.sessions.bind(session_token(request) or "", fingerprint)
    return certified


@router.post(
    "/login/password",
    status_code=status.HTTP_204_NO_CONTENT,
    openapi_extra=also_refused(401),
)
def password_login(
    body: PasswordLogin, request: Request, response: Response, services: LiveServices
) -> None:
    """A session for IDgrid and password; wrong ones in a row lock the name for a while."""
    idgrid = body.idgrid.upper()
    with try_of_secret(request):
        services.people.passwords.check(idgrid, body.password)
    begin_session(services, Viewer(idgrid), request, response, Way.PASSWORD)


@router.put("/password", status_code=status.HTTP_204_NO_CONTENT)
def set_password(
    body: NewPassword,
    request: Request,
    response: Response,
    services: LiveServices,
    viewer: SignedInPerson,
) -> None:
    """A household's password; all its other sessions and all tokens of scripts end."""
    _require_household(viewer)
    with try_of_secret(request):
        services.people.passwords.set(
            viewer.idgrid,
            body.password,
            current=body.current,
            key_fingerprint=viewer.key_fingerprint,
        )
    begin_session(services, viewer, request, response, Way.PASSWORD)


@router.post("/login/key/options")
def key_login_options(services: LiveServices) -> Challenge:
    """What a device's key has to sign to sign in, with the address and the IDgrid."""
    return Challenge(services.people.key_login.options())


@router.post("/login/key", status_code=status.HTTP_204_NO_CONTENT, openapi_extra=also_refused(401))
def key_login(
    body: KeyLoginBody, request: Request, response: Response, services: LiveServices
) -> None:
    """A session for who holds a household's key; it takes the present one's place.

    409 RECOVERY_PENDING, with the key of the recovery, while another key is to replace this one.
    """
    with try_of_secret(request):
        fingerprint = services.people.key_login.login(
            idgrid=body.idgrid,
            public_key=body.public_key,
            challenge=body.challenge,
            signature=body.signature,
            site=site_of(request),
            now_ms=services.clock_ms(),
        )
    present = request.cookies.get(SESSION_COOKIE)
    if present:
        services.sessions.close(present)
    viewer = Viewer(body.idgrid, key_fingerprint=fingerprint)
    begin_session(services, viewer, request, response, Way.KEY)


@router.get("/identity-log")
def identity_log(
    services: LiveServices,
    _manager: Manager,
    after: Annotated[str | None, Query(pattern=r"^\d{15}-[0-9a-f]{8}$")] = None,
    limit: PageLimit = PAGE_DEFAULT,
) -> Page[LogEntry]:
    """Manager: who did what about whose identity, the newest first."""
    found = services.people.log.entries(below=after, limit=limit)
    following = found[-1].entry_id if len(found) == limit else None
    return Page(items=found, next=following, height=services.readmodel.height)


def _require_household(viewer: Viewer) -> None:
    if not viewer.idgrid:
        raise RequestRefused(Problem.FORBIDDEN, "only households have this")

"""What enrolment and login answer with. Times are ms UTC."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from gateway.identity.enrolment import Letter


@dataclass(frozen=True, slots=True)
class WrittenLetter(Letter):
    """A one-time letter; `code` is shown now and never again, `url` and `qr_svg` hold it."""

    code: str
    url: str
    qr_svg: str


@dataclass(frozen=True, slots=True)
class EnrolmentState:
    """How a request stands; member and certificate are there once it is approved."""

    state: str
    idgrid: str
    mspid: str | None = None
    certificate_pem: str | None = None


@dataclass(frozen=True, slots=True)
class Challenge:
    """Random bytes in base64, good for one signature and a short time."""

    challenge: str


@dataclass(frozen=True, slots=True)
class LoginLink:
    """A one-time link that opens a session; it is shown now and never again."""

    url: str
    expires_ms: int


@dataclass(frozen=True, slots=True)
class LettersCompared:
    """Whether the ledger names the key already."""

    is_named: bool


class PasskeyOptions(BaseModel):
    """What the browser's WebAuthn call takes, as JSON (W3C Web Authentication, section 5.1.8)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    challenge: str

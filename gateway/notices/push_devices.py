"""Browsers that want to be told: what each gave us to reach it, and to encrypt for it alone."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Delete, delete, func, insert, select

from gateway.database import Database
from gateway.errors import Problem, RequestRefused
from gateway.notices.outside_http import AddressRefused, Reach
from gateway.notices.records import Channel
from gateway.notices.tables import OutboxRow, PushDeviceRow
from ledger.crypto.hashing import sha256

PUSH_DEVICES_PER_HOUSEHOLD_MAX = 10
LABEL_CHARACTERS_MAX = 60
ID_HEX_DIGITS = 16
AUTH_BYTES = 16


@dataclass(frozen=True, slots=True)
class Subscription:
    """As the browser's push manager says it (RFC 8291): where to, and for whom to encrypt."""

    endpoint: str
    public_key: bytes
    """P-256, an uncompressed point."""
    auth: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PushDevice:
    """A browser, as its household sees it."""

    push_id: str
    label: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class PushDevices:
    """All households' browsers. Calls block."""

    database: Database
    clock_ms: Callable[[], int]
    reach: Reach
    public_key: bytes
    """Of this gateway: a browser hears nobody else (VAPID)."""

    def add(
        self, idgrid: str, subscription: Subscription, label: str, *, key_fingerprint: str = ""
    ) -> PushDevice:
        """A browser is this household's from now on, whosever it was.

        It ends with the key that opened the session, a new password, a recovery.
        `INVALID` for an address this gateway does not call or a key that is none, `CONFLICT` for
        one too many.
        """
        self._check(subscription)
        push_id = sha256(subscription.endpoint.encode()).hex()[:ID_HEX_DIGITS]
        device = PushDevice(push_id, label, self.clock_ms())
        owned = select(func.count()).where(PushDeviceRow.idgrid == idgrid)
        with self.database.writing() as connection:
            connection.execute(delete(PushDeviceRow).where(PushDeviceRow.push_id == push_id))
            connection.execute(_waiting_for(push_id))
            if connection.execute(owned).scalar_one() >= PUSH_DEVICES_PER_HOUSEHOLD_MAX:
                detail = f"there are {PUSH_DEVICES_PER_HOUSEHOLD_MAX} devices; remove one first"
                raise RequestRefused(Problem.CONFLICT, detail)
            values = {
                "push_id": push_id,
                "idgrid": idgrid,
                "endpoint": subscription.endpoint,
                "public_key": subscription.public_key,
                "auth": subscription.auth,
                "label": label,
                "created_ms": device.created_ms,
                "key_fingerprint": key_fingerprint,
            }
            connection.execute(insert(PushDeviceRow), values)
        return device

    def of(self, idgrid: str) -> list[PushDevice]:
        """A household's browsers, the oldest first."""
        wanted = (
            select(PushDeviceRow.push_id, PushDeviceRow.label, PushDeviceRow.created_ms)
            .where(PushDeviceRow.idgrid == idgrid)
            .order_by(PushDeviceRow.created_ms, PushDeviceRow.push_id)
        )
        with self.database.reading() as connection:
            return [PushDevice(*row) for row in connection.execute(wanted)]

    def subscription(self, push_id: str) -> Subscription | None:
        """How a browser is reached; None once it is removed."""
        wanted = select(PushDeviceRow.endpoint, PushDeviceRow.public_key, PushDeviceRow.auth)
        with self.database.reading() as connection:
            row = connection.execute(wanted.where(PushDeviceRow.push_id == push_id)).one_or_none()
        return None if row is None else Subscription(*row)

    def remove(self, push_id: str, idgrid: str | None = None) -> None:
        """End a browser's with what waits for it.

        `NOT_FOUND` if this household has none of that id; None for `idgrid` is the gateway itself.
        """
        gone = delete(PushDeviceRow).where(PushDeviceRow.push_id == push_id)
        with self.database.writing() as connection:
            if idgrid is not None:
                gone = gone.where(PushDeviceRow.idgrid == idgrid)
            if connection.execute(gone).rowcount == 0 and idgrid is not None:
                raise RequestRefused(Problem.NOT_FOUND, f"there is no device {push_id}")
            connection.execute(_waiting_for(push_id))

    def _check(self, subscription: Subscription) -> None:
        try:
            self.reach.check(subscription.endpoint)
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), subscription.public_key)
        except (AddressRefused, ValueError) as error:
            raise RequestRefused(Problem.INVALID, str(error)) from error
        if len(subscription.auth) != AUTH_BYTES:
            raise RequestRefused(Problem.INVALID, f"auth has {AUTH_BYTES} bytes")


def from_base64url(text: str) -> bytes:
    """Bytes as browsers write them, without padding; raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def to_base64url(content: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _waiting_for(push_id: str) -> Delete:
    return delete(OutboxRow).where(
        OutboxRow.channel == Channel.PUSH.value, OutboxRow.target == push_id
    )

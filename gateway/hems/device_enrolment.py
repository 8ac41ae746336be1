"""A device's enrolment: a code for its owner, and the proof that its key was made with that code.

1. The manager has a code written for a device and its owner; it works once, for a week.
2. The code is typed into the device's image (`firmware/provision.py image --code`). The node makes
   its key and prints `{"enrolment": {…}}`, with the key's signature over device, code and key id.
3. `check` compares line and code: one that is unknown, too old, used for another key or of another
   device is refused, as is a signature that the named key did not make with it. What passes is
   what is registered. The gateway keeps a hash of the code, so its database proves nothing.

Tier A has no public key: its proof is made with the secret that the gateway's settings name, and
registered is the key the gateway attests with. That a key of tier C is in an element nobody can
see from here; the installer says so by the tier.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import delete, insert, select, update

from gateway.database import Database
from gateway.hems.tables import DeviceCodeRow
from gateway.mqtt.enrolment_line import (
    BadEnrolment,
    EnrolmentLine,
    decode_enrolment,
    fingerprint_of,
)
from gateway.mqtt.reading import key_id, shared_key_id
from gateway.mqtt.reading_check import Attesting
from gateway.mqtt.topics import NAME
from ledger.crypto.hashing import sha256
from ledger.crypto.signing import verify_signature
from ledger.errors import InvalidMessage

CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_GROUPS, CODE_GROUP_LETTERS = 4, 4
"""80 random bits: who sees a proof could try codes at leisure."""
CODE_CHARACTERS_MAX = 64
CODE_LIFETIME_MS = 7 * 24 * 60 * 60 * 1000


class EnrolmentDoubt(StrEnum):
    """Why an enrolment is refused."""

    MALFORMED = "malformed"
    UNKNOWN_CODE = "unknown_code"
    """This code was not written for this device, or a later one took its place."""
    EXPIRED_CODE = "expired_code"
    USED_CODE = "used_code"
    """Another key was proved with it."""
    WRONG_PROOF = "wrong_proof"
    """The key did not sign this device and its code."""
    NOT_ATTESTED = "not_attested"
    """Of tier A, and the settings name no secret for it."""


class EnrolmentRefused(Exception):  # noqa: N818 - the answer to whoever brought the line
    """An enrolment that is not believed."""

    def __init__(self, doubt: EnrolmentDoubt) -> None:
        super().__init__(doubt.value)
        self.doubt = doubt


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A code that was written, or what became of it."""

    device_id: str
    owner_idgrid: str
    code_hash: bytes
    expires_ms: int
    fingerprint: str
    """SHA-256 of the proved key, DER, hexadecimal; empty before."""


@dataclass(frozen=True, slots=True)
class ProvedDevice:
    """What the ledger may be told of a device."""

    device_id: str
    owner_idgrid: str
    tier: str
    public_point_hex: str
    """The key to register, uncompressed (X9.62)."""
    fingerprint: str


class DeviceEnrolment:
    """Codes of this gateway's devices."""

    def __init__(
        self, database: Database, clock_ms: Callable[[], int], attesting: Attesting | None = None
    ) -> None:
        self._database = database
        self._clock_ms = clock_ms
        self._attesting = attesting

    def write_code(self, device_id: str, owner_idgrid: str) -> str:
        """A code for a device, shown this once; an earlier one for it works no longer.

        Raises ValueError for a name that no device can have.
        """
        if not NAME.fullmatch(device_id):
            raise ValueError(f"no name of a device: {device_id[:64]!r}")
        groups = (
            "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_GROUP_LETTERS))
            for _ in range(CODE_GROUPS)
        )
        code = "-".join(groups)
        with self._database.writing() as connection:
            connection.execute(delete(DeviceCodeRow).where(DeviceCodeRow.device_id == device_id))
            connection.execute(
                insert(DeviceCodeRow).values(
                    device_id=device_id,
                    owner_idgrid=owner_idgrid,
                    code_hash=_code_hash(code),
                    expires_ms=self._clock_ms() + CODE_LIFETIME_MS,
                    fingerprint="",
                )
            )
        return code

    def codes(self) -> dict[str, DeviceCode]:
        """Every code there is, by device."""
        with self._database.reading() as connection:
            rows = connection.execute(select(DeviceCodeRow.__table__)).all()
        return {row.device_id: DeviceCode(**row._mapping) for row in rows}  # noqa: SLF001

    def check(self, line: str, code: str) -> ProvedDevice:
        """What a node printed, as far as it may be registered; the same line passes again.

        Raises `EnrolmentRefused`.
        """
        try:
            told = decode_enrolment(line)
        except BadEnrolment:
            raise EnrolmentRefused(EnrolmentDoubt.MALFORMED) from None
        written, given = self.codes().get(told.device), _typed(code)
        if written is None or not hmac.compare_digest(written.code_hash, _code_hash(given)):
            raise EnrolmentRefused(EnrolmentDoubt.UNKNOWN_CODE)
        registered = self._registered_key(told)
        fingerprint = fingerprint_of(registered)
        if written.fingerprint not in ("", fingerprint):
            raise EnrolmentRefused(EnrolmentDoubt.USED_CODE)
        if not written.fingerprint and self._clock_ms() >= written.expires_ms:
            raise EnrolmentRefused(EnrolmentDoubt.EXPIRED_CODE)
        self._require_proof(told, given)
        self._take(written, fingerprint)
        return ProvedDevice(
            told.device, written.owner_idgrid, told.tier, _point(registered).hex(), fingerprint
        )

    def _registered_key(self, told: EnrolmentLine) -> ec.EllipticCurvePublicKey:
        if told.key is not None:
            return told.key
        if self._attesting is None or told.device not in self._attesting.secrets:
            raise EnrolmentRefused(EnrolmentDoubt.NOT_ATTESTED)
        return self._attesting.signer.public_key

    def _require_proof(self, told: EnrolmentLine, code: str) -> None:
        line = told.signed_with(code)
        if told.key is not None:
            is_own_id = told.kid == key_id(told.key)
            is_proved = is_own_id and _is_signed(told.key, line, told.proof)
        else:
            assert self._attesting is not None, "its secret was found"
            secret = self._attesting.secrets[told.device]
            expected = hmac.digest(secret, line, "sha256")
            is_own_id = told.kid == shared_key_id(secret)
            is_proved = is_own_id and hmac.compare_digest(told.proof, expected)
        if not is_proved:
            raise EnrolmentRefused(EnrolmentDoubt.WRONG_PROOF)

    def _take(self, written: DeviceCode, fingerprint: str) -> None:
        """Use a code up; of two keys that come at once, the first has it."""
        with self._database.writing() as connection:
            taken = connection.execute(
                update(DeviceCodeRow)
                .where(
                    DeviceCodeRow.device_id == written.device_id,
                    DeviceCodeRow.code_hash == written.code_hash,
                    DeviceCodeRow.fingerprint.in_(("", fingerprint)),
                )
                .values(fingerprint=fingerprint)
            )
        if taken.rowcount != 1:
            raise EnrolmentRefused(EnrolmentDoubt.USED_CODE)


def _typed(code: str) -> str:
    """As it was written, whatever case somebody types."""
    return code.strip().upper()[:CODE_CHARACTERS_MAX]


def _code_hash(code: str) -> bytes:
    return sha256(code.encode("utf-8"))


def _is_signed(key: ec.EllipticCurvePublicKey, line: bytes, proof: bytes) -> bool:
    try:
        verify_signature(key, line, proof)
    except InvalidMessage:
        return False
    return True


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )

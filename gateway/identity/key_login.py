"""Signing in with a device's own key: it signs a challenge, and the ledger names the key.

The session is bound to the key, and ends with it (`gateway.identity.ending`). While a recovery is
under way only its own key opens a session: any other may be what was lost.
"""

import base64
import binascii

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from chaincode.energy.registry.records import DEVICE, Participant, Signer
from gateway.books.community import Community
from gateway.database import Database
from gateway.errors import Problem, RequestRefused
from gateway.identity.challenges import Challenges
from gateway.identity.identity_log import IdentityLog
from gateway.identity.passkeys import Site
from ledger.crypto.hashing import sha256
from ledger.crypto.signing import verify_signature
from ledger.errors import InvalidMessage

PURPOSE = "key login"
HEAD = "gridledger sign-in 1"
"""No proposal begins like this, so a signature over it is good for nothing else."""


class KeyLogin:
    """Sessions for who holds a key that the ledger names."""

    def __init__(
        self, database: Database, challenges: Challenges, log: IdentityLog, community: Community
    ) -> None:
        self._database = database
        self._challenges = challenges
        self._log = log
        self._community = community

    def options(self) -> str:
        """A challenge in base64."""
        return base64.b64encode(self._challenges.new(PURPOSE)).decode("ascii")

    def login(
        self,
        *,
        idgrid: str,
        public_key: str,
        challenge: str,
        signature: str,
        site: Site,
        now_ms: int,
    ) -> str:
        """The fingerprint of the key that signed; LOGIN_FAILED whatever is wrong.

        `public_key` is DER, and it, challenge and signature are base64. CONFLICT with the code
        RECOVERY_PENDING, and the recovery's key, for another key while a recovery is under way.
        """
        try:
            raw_key, sent = _bytes(public_key), _bytes(challenge)
            raw_signature = _bytes(signature)
        except (ValueError, binascii.Error) as error:
            raise _failed() from error
        if not self._challenges.use(sent, PURPOSE):
            raise _failed()
        fingerprint = sha256(raw_key).hex()
        participant = self._community.participant(idgrid)
        signer = participant.signer(fingerprint) if participant is not None else None
        message = signed_text(site=site, idgrid=idgrid, challenge=challenge)
        if not _is_signed(raw_key, message, raw_signature):
            raise _failed()
        if participant is None or signer is None or not _opens(signer, now_ms):
            raise _failed()
        _require_no_other_recovery(participant, fingerprint, now_ms)
        with self._database.writing() as connection:
            self._log.add(
                connection, actor=idgrid, action="key login", idgrid=idgrid, detail=fingerprint
            )
        return fingerprint


def signed_text(*, site: Site, idgrid: str, challenge: str) -> bytes:
    """What the key signs: for this address and this household only."""
    return f"{HEAD}\n{site.origin}\n{idgrid}\n{challenge}".encode()


def _opens(signer: Signer, now_ms: int) -> bool:
    """A recovery's key shows data before it may act; an agent's shows none."""
    return signer.kind == DEVICE and not signer.has_ended(now_ms)


def _require_no_other_recovery(participant: Participant, fingerprint: str, now_ms: int) -> None:
    for name in participant.signers:
        signer = participant.signer(name)
        assert signer is not None, "it was taken from the record"
        if name != fingerprint and signer.from_ms > now_ms and signer.revoked_ms is None:
            raise RequestRefused(
                Problem.CONFLICT,
                "a recovery of this household is under way; any of its keys undoes it",
                extensions={"code": "RECOVERY_PENDING", "fingerprint": name},
            )


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _is_signed(raw_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        key = load_der_public_key(raw_key)
    except (ValueError, UnsupportedAlgorithm):
        return False
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        return False
    try:
        verify_signature(key, message, signature)
    except InvalidMessage:
        return False
    return True


def _failed() -> RequestRefused:
    return RequestRefused(Problem.LOGIN_FAILED, "this key opens nothing here")

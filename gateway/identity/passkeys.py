"""Login with a passkey (WebAuthn). It opens a session; it signs no transaction.

Households have passkeys, and staff; whose they are is the *holder* (`gateway.identity.holders`).

A login names nobody: the browser offers what it has, so there is nothing to try names with.
"""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from sqlalchemy import delete, insert, select, update
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from gateway.database import Database
from gateway.errors import Problem, RequestRefused
from gateway.identity.challenges import Challenges
from gateway.identity.ending import Endings
from gateway.identity.holders import STAFF, idgrid_of
from gateway.identity.identity_log import IdentityLog
from gateway.identity.tables import PasskeyRow
from ledger.crypto.hashing import sha256

PASSKEYS_MAX = 20
PASSKEY_ID_CHARACTERS = 24
"""Of the hash of the credential's id, which may have 1,023 bytes."""
LABEL_CHARACTERS_MAX = 60
UNREADABLE = (
    WebAuthnException,
    UnsupportedAlgorithm,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    struct.error,
)
"""What damaged credentials raise in the library and below it."""


@dataclass(frozen=True, slots=True)
class Site:
    """For which name and from which address browsers make and use passkeys."""

    rp_id: str
    origin: str


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey as its holder sees it."""

    passkey_id: str
    label: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class SignedInBy:
    """Whose passkey answered, and which one."""

    holder: str
    passkey_id: str


class Passkeys:
    """Passkeys of one holder at a time."""

    def __init__(
        self,
        database: Database,
        clock_ms: Callable[[], int],
        *,
        log: IdentityLog,
        challenges: Challenges,
        endings: Endings,
        community_name: str,
    ) -> None:
        self._database = database
        self._clock_ms = clock_ms
        self._log = log
        self._challenges = challenges
        self._endings = endings
        self._community_name = community_name

    def of(self, holder: str) -> list[Passkey]:
        """Those that open a session, the oldest first."""
        wanted = select(PasskeyRow.__table__).where(PasskeyRow.idgrid == holder)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(PasskeyRow.created_ms)).all()
        return [
            Passkey(passkey_id_of(row.credential_id), row.label, row.created_ms)
            for row in rows
            if not self._endings.opens_no_more(holder, row.key_fingerprint)
        ]

    def remove(self, holder: str, passkey_id: str, *, actor: str) -> None:
        """It opens nothing any more, and what it opened ends; NOT_FOUND for anybody else's."""
        known = select(PasskeyRow.credential_id).where(PasskeyRow.idgrid == holder)
        with self._database.writing() as connection:
            ids = connection.execute(known).scalars().all()
            found = [one for one in ids if passkey_id_of(one) == passkey_id]
            if not found:
                raise RequestRefused(Problem.NOT_FOUND, "there is no such passkey")
            connection.execute(delete(PasskeyRow).where(PasskeyRow.credential_id.in_(found)))
            self._log.add(
                connection, actor=actor, action="passkey removed", idgrid=idgrid_of(holder)
            )
            self._endings.of_passkey(connection, holder, passkey_id)

    def creation_options(self, holder: str, site: Site) -> dict[str, Any]:
        """What the browser needs to make a passkey for who is signed in."""
        known = select(PasskeyRow.credential_id).where(PasskeyRow.idgrid == holder)
        with self._database.reading() as connection:
            ids = connection.execute(known).scalars().all()
        if len(ids) >= PASSKEYS_MAX:
            raise RequestRefused(Problem.CONFLICT, f"at most {PASSKEYS_MAX} passkeys")
        options = generate_registration_options(
            rp_id=site.rp_id,
            rp_name=self._community_name,
            user_name=holder,
            user_id=sha256(holder.encode()),
            challenge=self._challenges.new(holder),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=known_id) for known_id in ids],
        )
        return _as_json(options)

    def add(
        self,
        holder: str,
        credential: dict[str, Any],
        label: str,
        site: Site,
        key_fingerprint: str = "",
    ) -> None:
        """Keep the public key of a passkey made with `creation_options`.

        `key_fingerprint` is of the session's key: the passkey ends with it.
        """
        challenge = self._used_challenge(credential, holder)
        try:
            made = verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=site.rp_id,
                expected_origin=site.origin,
                require_user_verification=True,
            )
        except UNREADABLE as error:
            raise RequestRefused(Problem.INVALID, f"not a new passkey: {error}") from error
        values = {
            "credential_id": made.credential_id,
            "idgrid": holder,
            "public_key": made.credential_public_key,
            "sign_count": made.sign_count,
            "label": label[:LABEL_CHARACTERS_MAX],
            "created_ms": self._clock_ms(),
            "key_fingerprint": key_fingerprint,
        }
        with self._database.writing() as connection:
            taken = select(PasskeyRow.idgrid).where(PasskeyRow.credential_id == made.credential_id)
            if connection.execute(taken).first() is not None:
                raise RequestRefused(Problem.CONFLICT, "this passkey is known already")
            connection.execute(insert(PasskeyRow), values)
            self._log.add(
                connection,
                actor=holder,
                action="passkey added",
                idgrid=idgrid_of(holder),
                detail=_told(holder, label),
            )

    def login_options(self, site: Site) -> dict[str, Any]:
        """What the browser needs to log in; the same for everybody."""
        return _as_json(
            generate_authentication_options(
                rp_id=site.rp_id,
                challenge=self._challenges.new(""),
                user_verification=UserVerificationRequirement.REQUIRED,
            )
        )

    def login(self, credential: dict[str, Any], site: Site) -> SignedInBy:
        """Whose passkey answered the challenge; LOGIN_FAILED otherwise."""
        challenge = self._used_challenge(credential, "")
        try:
            credential_id = base64url_to_bytes(str(credential["rawId"]))
        except UNREADABLE as error:
            raise _failed() from error
        wanted = select(PasskeyRow.__table__).where(PasskeyRow.credential_id == credential_id)
        with self._database.reading() as connection:
            known = connection.execute(wanted).one_or_none()
        if known is None or self._endings.opens_no_more(known.idgrid, known.key_fingerprint):
            raise _failed()
        try:
            answered = verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=site.rp_id,
                expected_origin=site.origin,
                credential_public_key=known.public_key,
                credential_current_sign_count=known.sign_count,
                require_user_verification=True,
            )
        except UNREADABLE as error:
            raise _failed() from error
        with self._database.writing() as connection:
            connection.execute(
                update(PasskeyRow)
                .where(PasskeyRow.credential_id == credential_id)
                .values(sign_count=answered.new_sign_count)
            )
            self._log.add(
                connection,
                actor=known.idgrid,
                action="passkey login",
                idgrid=idgrid_of(known.idgrid),
                detail=_told(known.idgrid, known.label),
            )
        return SignedInBy(known.idgrid, passkey_id_of(credential_id))

    def _used_challenge(self, credential: dict[str, Any], purpose: str) -> bytes:
        """The challenge a credential answers, which works once; LOGIN_FAILED without one."""
        try:
            sent = base64url_to_bytes(str(credential["response"]["clientDataJSON"]))
            challenge = parse_client_data_json(sent).challenge
        except UNREADABLE as error:
            raise _failed() from error
        if not self._challenges.use(challenge, purpose):
            raise _failed()
        return challenge


def passkey_id_of(credential_id: bytes) -> str:
    """How a passkey is named in lists and in what it opened."""
    return sha256(credential_id).hex()[:PASSKEY_ID_CHARACTERS]


def _told(holder: str, label: str) -> str:
    """Which of the staff it was; what a household calls its devices is its own."""
    return label[:LABEL_CHARACTERS_MAX] if holder == STAFF else ""


def _failed() -> RequestRefused:
    return RequestRefused(Problem.LOGIN_FAILED, "the passkey does not open anything here")


def _as_json(options: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(options_to_json(options))
    return content

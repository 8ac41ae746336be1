"""The open sessions of a household or of the staff: seen, and ended, by themselves."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from gateway.database import Database
from gateway.errors import Problem, RequestRefused
from gateway.identity.holders import STAFF, idgrid_of
from gateway.identity.identity_log import IdentityLog
from gateway.identity.passkeys import passkey_id_of
from gateway.identity.sessions import SESSION_LIFETIME_MS, TOKEN_BYTES
from gateway.identity.tables import LINK, SESSION, PasskeyRow, SessionRow
from ledger.crypto.hashing import sha256

SESSION_ID_CHARACTERS = 24
"""Of the hash of a session's token; the hash opens nothing."""
SESSION_NAME_CHARACTERS = 8
SESSIONS_SHOWN_MAX = 100
STAFF_LINK_LIFETIME_MS = 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session: when it was opened and how, and until when it lasts; `label` of its passkey."""

    session_id: str
    opened_ms: int
    expires_ms: int
    way: str
    label: str
    is_this: bool
    """Whether it is the one that asks."""


class OwnSessions:
    """Sessions of one holder at a time."""

    def __init__(self, database: Database, clock_ms: Callable[[], int], log: IdentityLog) -> None:
        self._database = database
        self._clock_ms = clock_ms
        self._log = log

    def of(self, holder: str, present_token: str) -> list[OpenSession]:
        """Those that are open, the newest first."""
        wanted = (
            select(SessionRow.__table__)
            .where(sessions_of(holder), SessionRow.expires_ms > self._clock_ms())
            .order_by(SessionRow.expires_ms.desc())
            .limit(SESSIONS_SHOWN_MAX)
        )
        present = sha256(present_token.encode())
        with self._database.reading() as connection:
            labels = _passkey_labels(connection, holder)
            return [
                OpenSession(
                    session_id=row.token_hash.hex()[:SESSION_ID_CHARACTERS],
                    opened_ms=row.expires_ms - SESSION_LIFETIME_MS,
                    expires_ms=row.expires_ms,
                    way=row.way,
                    label=labels.get(row.passkey_id, ""),
                    is_this=row.token_hash == present,
                )
                for row in connection.execute(wanted)
            ]

    def name_of(self, present_token: str) -> str:
        """What tells a session from others of its holder; empty for what is no session.

        The label of the passkey that opened it; else how it was opened and how its id begins.
        """
        digest = sha256(present_token.encode())
        wanted = select(SessionRow.__table__).where(SessionRow.kind == SESSION)
        with self._database.reading() as connection:
            row = connection.execute(wanted.where(SessionRow.token_hash == digest)).one_or_none()
            if row is None:
                return ""
            labels = _passkey_labels(connection, STAFF if row.is_manager else row.idgrid)
        shown_id = digest.hex()[:SESSION_NAME_CHARACTERS]
        return labels.get(row.passkey_id) or f"{row.way} {shown_id}"

    def end(self, holder: str, session_id: str, *, actor: str) -> None:
        """End one of them; NOT_FOUND for anybody else's."""
        wanted = select(SessionRow.token_hash).where(sessions_of(holder))
        with self._database.writing() as connection:
            hashes = connection.execute(wanted).scalars().all()
            found = [one for one in hashes if one.hex().startswith(session_id)]
            if not found:
                raise RequestRefused(Problem.NOT_FOUND, "there is no such session")
            connection.execute(delete(SessionRow).where(SessionRow.token_hash.in_(found)))
            self._log.add(
                connection, actor=actor, action="session ended", idgrid=idgrid_of(holder)
            )

    def write_staff_link(self, *, actor: str) -> tuple[str, int]:
        """(token, until when) of a link that signs staff in once, on another device."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        expires_ms = self._clock_ms() + STAFF_LINK_LIFETIME_MS
        values = {
            "token_hash": sha256(token.encode()),
            "kind": LINK,
            "idgrid": "",
            "is_manager": True,
            "expires_ms": expires_ms,
            "key_fingerprint": "",
        }
        with self._database.writing() as connection:
            connection.execute(insert(SessionRow), values)
            self._log.add(connection, actor=actor, action="link written", idgrid="")
        return token, expires_ms


def sessions_of(holder: str) -> ColumnElement[bool]:
    """Open or over, but no links."""
    if holder == STAFF:
        return (SessionRow.kind == SESSION) & SessionRow.is_manager
    is_own: ColumnElement[bool] = SessionRow.idgrid == holder
    return (SessionRow.kind == SESSION) & is_own & ~SessionRow.is_manager


def _passkey_labels(connection: Connection, holder: str) -> dict[str, str]:
    """What a holder calls its passkeys, by their ids."""
    known = select(PasskeyRow.credential_id, PasskeyRow.label).where(PasskeyRow.idgrid == holder)
    return {passkey_id_of(row.credential_id): row.label for row in connection.execute(known)}

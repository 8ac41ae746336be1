"""Who is looking: one-time login links become sessions. Signing is something else (its own key).

A link's token works once; the session's token is 32 random bytes, kept in the database only as a
hash, and sent to the browser as an HttpOnly cookie or to a program as a bearer token. Gateways
that share a database share sessions.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, auto

from sqlalchemy import delete, insert, select, update

from gateway.database import Database
from gateway.errors import Problem, RequestRefused
from gateway.identity.ending import Endings
from gateway.identity.holders import STAFF
from gateway.identity.scopes import SCOPES, Role, Scope
from gateway.identity.tables import LINK, SESSION, SessionRow
from ledger.crypto.hashing import sha256

TOKEN_BYTES = 32
SESSION_LIFETIME_MS = 12 * 60 * 60 * 1000
LINK_LIFETIME_MS = 24 * 60 * 60 * 1000


class Way(StrEnum):
    """How somebody proved who it is."""

    LINK = auto()
    LETTER = auto()
    KEY = auto()
    PASSKEY = auto()
    PASSWORD = auto()


@dataclass(frozen=True, slots=True)
class Viewer:
    """What a session may see: its own household, or everything as the community manager."""

    idgrid: str
    is_manager: bool = False
    is_oracle: bool = False
    """A member's oracle: reads devices their owners let the market read."""
    staff_role: Role | None = None
    """A member's operator or auditor."""
    token_scopes: frozenset[Scope] | None = None
    """Of a script's token; None for a person, who has all scopes of the role."""
    key_fingerprint: str = ""
    """The household's key that this browser is known to have."""

    @property
    def role(self) -> Role:
        """Who asks."""
        if self.is_manager:
            return Role.MANAGER
        if self.is_oracle:
            return Role.ORACLE
        return self.staff_role or Role.HOUSEHOLD

    @property
    def holder(self) -> str:
        """Whose passkeys and sessions it sees; empty for a program, which has none."""
        return STAFF if self.is_manager else self.idgrid

    def may(self, scope: Scope) -> bool:
        """Whether a door opens."""
        granted = SCOPES[self.role]
        return scope in (granted if self.token_scopes is None else granted & self.token_scopes)

    def may_see(self, idgrid: str) -> bool:
        """Whether accounts and settlements of this household are shown."""
        is_own = idgrid == self.idgrid and self.may(Scope.OWN_READ)
        return is_own or self.may(Scope.COMMUNITY_READ)


def viewer_of(holder: str) -> Viewer:
    """What a holder may see once it has signed in."""
    return Viewer("", is_manager=True) if holder == STAFF else Viewer(holder)


class Sessions:
    """Links and sessions; programs' tokens come from the configuration of this process."""

    def __init__(self, database: Database, clock_ms: Callable[[], int], endings: Endings) -> None:
        self._database = database
        self._clock_ms = clock_ms
        self._endings = endings
        self._programs: dict[bytes, Viewer] = {}

    def add_link(self, token: str, viewer: Viewer) -> None:
        """Make a one-time link work from now on; one that was used already stays used."""
        values = self._values(token, viewer, LINK, LINK_LIFETIME_MS)
        this = SessionRow.token_hash == values["token_hash"]
        with self._database.writing() as connection:
            if connection.execute(select(SessionRow.kind).where(this)).first() is None:
                connection.execute(insert(SessionRow), values)
            else:
                again = update(SessionRow).where(this, SessionRow.used_ms.is_(None))
                connection.execute(again.values(expires_ms=values["expires_ms"]))

    def admit(self, token: str, viewer: Viewer) -> None:
        """Make a bearer token of the configuration work as long as this process runs."""
        self._programs[_digest(token)] = viewer

    def open(self, link_token: str) -> str:
        """Use a link up; returns the new session's token or refuses with LINK_INVALID."""
        now_ms = self._clock_ms()
        used = (
            update(SessionRow)
            .where(SessionRow.token_hash == _digest(link_token), SessionRow.kind == LINK)
            .where(SessionRow.used_ms.is_(None), SessionRow.expires_ms > now_ms)
            .values(used_ms=now_ms)
            .returning(SessionRow.idgrid, SessionRow.is_manager)
        )
        with self._database.writing() as connection:
            row = connection.execute(used).one_or_none()
        if row is None:
            raise RequestRefused(
                Problem.LINK_INVALID, "a login link works once and for a limited time"
            )
        return self.begin(Viewer(row.idgrid, is_manager=row.is_manager), Way.LINK)

    def begin(self, viewer: Viewer, way: Way = Way.LINK, passkey_id: str = "") -> str:
        """A new session of somebody who has proven who it is; returns its token."""
        token, now_ms = secrets.token_urlsafe(TOKEN_BYTES), self._clock_ms()
        with self._database.writing() as connection:
            over = (SessionRow.kind == SESSION) & (SessionRow.expires_ms <= now_ms)
            connection.execute(delete(SessionRow).where(over))
            values = self._values(token, viewer, SESSION, SESSION_LIFETIME_MS)
            values |= {"way": way.value, "passkey_id": passkey_id}
            connection.execute(insert(SessionRow), values)
        return token

    def viewer(self, session_token: str | None) -> Viewer | None:
        """Who holds this session, `None` without a live one."""
        if not session_token:
            return None
        digest = _digest(session_token)
        if digest in self._programs:
            return self._programs[digest]
        wanted = select(
            SessionRow.idgrid, SessionRow.is_manager, SessionRow.key_fingerprint
        ).where(
            SessionRow.token_hash == digest,
            SessionRow.kind == SESSION,
            SessionRow.expires_ms > self._clock_ms(),
        )
        with self._database.reading() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None or self._endings.opens_no_more(row.idgrid, row.key_fingerprint):
            return None
        return Viewer(row.idgrid, is_manager=row.is_manager, key_fingerprint=row.key_fingerprint)

    def bind(self, session_token: str, key_fingerprint: str) -> None:
        """The browser with this session has this key of its household: they end together."""
        with self._database.writing() as connection:
            connection.execute(
                update(SessionRow)
                .where(SessionRow.token_hash == _digest(session_token))
                .values(key_fingerprint=key_fingerprint)
            )

    def close(self, session_token: str) -> None:
        """Sign out."""
        with self._database.writing() as connection:
            connection.execute(
                delete(SessionRow).where(SessionRow.token_hash == _digest(session_token))
            )

    def _values(
        self, token: str, viewer: Viewer, kind: str, lifetime_ms: int
    ) -> dict[str, object]:
        return {
            "token_hash": _digest(token),
            "kind": kind,
            "idgrid": viewer.idgrid,
            "is_manager": viewer.is_manager,
            "expires_ms": self._clock_ms() + lifetime_ms,
            "key_fingerprint": viewer.key_fingerprint,
        }


def _digest(token: str) -> bytes:
    return sha256(token.encode())

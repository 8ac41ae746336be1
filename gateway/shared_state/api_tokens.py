"""Tokens of scripts: made by who is signed in, shown once, limited in scope and time."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import delete, func, insert, select

from gateway.database import Database
from gateway.errors import Problem, RequestRefused
from gateway.identity.ending import Endings
from gateway.identity.scopes import GRANTABLE, SCOPES, Role, Scope
from gateway.shared_state.tables import ApiTokenRow
from ledger.crypto.hashing import sha256

PREFIX = "glt_"
"""So that a token found somewhere can be recognised."""
TOKEN_BYTES, ID_BYTES = 32, 8
LIFETIME_DAYS_MAX = 366
DAY_MS = 24 * 60 * 60 * 1000
TOKENS_PER_OWNER_MAX = 50


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token without its text."""

    token_id: str
    label: str
    role: Role
    idgrid: str
    scopes: tuple[Scope, ...]
    created_ms: int
    expires_ms: int


class ApiTokens:
    """See `ApiTokenRow`; calls block."""

    def __init__(self, database: Database, clock_ms: Callable[[], int], endings: Endings) -> None:
        self._database = database
        self._clock_ms = clock_ms
        self._endings = endings

    def make(
        self,
        *,
        maker: Role,
        role: Role,
        idgrid: str,
        scopes: Sequence[Scope],
        label: str,
        lifetime_days: int,
        key_fingerprint: str = "",
    ) -> tuple[str, ApiToken]:
        """A new token and its text, which nobody can show again.

        `FORBIDDEN` for a role or scope its maker may not give away. `key_fingerprint` is of the
        session's key: the token ends with it.
        """
        allowed = SCOPES[role] - {Scope.TOKENS_WRITE}
        if role not in GRANTABLE.get(maker, frozenset()) or not set(scopes) <= allowed:
            raise RequestRefused(
                Problem.FORBIDDEN, f"a {maker} cannot make a {role} token with these scopes"
            )
        now_ms = self._clock_ms()
        text = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        token = ApiToken(
            token_id=secrets.token_hex(ID_BYTES),
            label=label,
            role=role,
            idgrid=idgrid,
            scopes=tuple(sorted(set(scopes))),
            created_ms=now_ms,
            expires_ms=now_ms + lifetime_days * DAY_MS,
        )
        values = asdict(token) | {
            "token_hash": _digest(text),
            "role": role.value,
            "scopes": " ".join(token.scopes),
            "key_fingerprint": key_fingerprint,
        }
        owned = select(func.count()).where(ApiTokenRow.idgrid == idgrid)
        with self._database.writing() as connection:
            connection.execute(delete(ApiTokenRow).where(ApiTokenRow.expires_ms <= now_ms))
            if connection.execute(owned).scalar_one() >= TOKENS_PER_OWNER_MAX:
                raise RequestRefused(
                    Problem.CONFLICT, f"there are {TOKENS_PER_OWNER_MAX} tokens; revoke one first"
                )
            connection.execute(insert(ApiTokenRow), values)
        return text, token

    def find(self, text: str) -> ApiToken | None:
        """The token with this text, if it is live."""
        if not text.startswith(PREFIX):
            return None
        wanted = select(ApiTokenRow).where(
            ApiTokenRow.token_hash == _digest(text), ApiTokenRow.expires_ms > self._clock_ms()
        )
        with self._database.reading() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None or self._endings.opens_no_more(row.idgrid, row.key_fingerprint):
            return None
        return _token(row)

    def of(self, idgrid: str) -> list[ApiToken]:
        """An owner's tokens, the newest first; the manager's have no IDgrid."""
        wanted = (
            select(ApiTokenRow)
            .where(ApiTokenRow.idgrid == idgrid, ApiTokenRow.expires_ms > self._clock_ms())
            .order_by(ApiTokenRow.created_ms.desc(), ApiTokenRow.token_id)
        )
        with self._database.reading() as connection:
            return [_token(row) for row in connection.execute(wanted)]

    def revoke(self, token_id: str, idgrid: str) -> None:
        """End a token of this owner; `NOT_FOUND` if it has none with this id."""
        gone = delete(ApiTokenRow).where(
            ApiTokenRow.token_id == token_id, ApiTokenRow.idgrid == idgrid
        )
        with self._database.writing() as connection:
            if connection.execute(gone).rowcount == 0:
                raise RequestRefused(Problem.NOT_FOUND, f"there is no token {token_id}")


def _token(row: object) -> ApiToken:
    values = row._mapping  # type: ignore[attr-defined] # noqa: SLF001 - SQLAlchemy's public name
    return ApiToken(
        token_id=values["token_id"],
        label=values["label"],
        role=Role(values["role"]),
        idgrid=values["idgrid"],
        scopes=tuple(Scope(name) for name in values["scopes"].split()),
        created_ms=values["created_ms"],
        expires_ms=values["expires_ms"],
    )


def _digest(text: str) -> bytes:
    return sha256(text.encode())

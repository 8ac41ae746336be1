"""What opens a household's data, and what ends it: one rule for gateways that share a database.

| what happens | what ends |
|---|---|
| a key is revoked, or replaced | sessions it opened; tokens, passkeys, password made in them |
| a passkey is removed | sessions it opened |
| a new password | every other session, every token of a script |
| a recovery by the manager | all: sessions, links, tokens, passkeys, password |

Webhooks, and browsers that are told of notices, end as tokens do: they tell what a token shows.
What a key opened is judged against the ledger each time it is used (`opens_no_more`), so it ends
on every gateway with the block that ends the key. Each ending is in the log once.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, update

from gateway.books.community import Community
from gateway.database import Database
from gateway.identity.holders import idgrid_of
from gateway.identity.identity_log import IdentityLog
from gateway.identity.tables import (
    LINK,
    SESSION,
    KeyRequestRow,
    PasskeyRow,
    PasswordRow,
    SessionRow,
)
from gateway.notices.tables import PushDeviceRow, WebhookRow
from gateway.shared_state.tables import ApiTokenRow

Table = (
    type[SessionRow]
    | type[ApiTokenRow]
    | type[WebhookRow]
    | type[PushDeviceRow]
    | type[PasskeyRow]
    | type[PasswordRow]
)

SESSIONS_AND_TOKENS: Sequence[tuple[str, Table]] = (
    ("sessions", SessionRow),
    ("tokens", ApiTokenRow),
    ("webhooks", WebhookRow),
    ("told browsers", PushDeviceRow),
)
EVERYTHING: Sequence[tuple[str, Table]] = (
    *SESSIONS_AND_TOKENS,
    ("passkeys", PasskeyRow),
    ("password", PasswordRow),
)


class Endings:
    """Ends what opens a household's data, and says so in the log."""

    def __init__(
        self,
        database: Database,
        clock_ms: Callable[[], int],
        *,
        log: IdentityLog,
        community: Community,
    ) -> None:
        self._database = database
        self._clock_ms = clock_ms
        self._log = log
        self._community = community

    def opens_no_more(self, idgrid: str, key_fingerprint: str) -> bool:
        """Whether the key that opened something has ended; what no key opened goes on.

        What a revoked key opened is deleted; a revocation is for ever, also on a ledger that is
        being read anew, while a key that is not there may still come. Reads the ledger.
        """
        if not key_fingerprint:
            return False
        participant = self._community.participant(idgrid)
        signer = participant.signer(key_fingerprint) if participant is not None else None
        if signer is not None and not signer.has_ended(self._clock_ms()):
            return False
        if signer is not None and signer.revoked_ms is not None:
            self._of_key(idgrid, key_fingerprint)
        return True

    def _of_key(self, idgrid: str, key_fingerprint: str) -> None:
        """A key has ended: so does what it opened."""
        with self._database.writing() as connection:
            for name, table in EVERYTHING:
                rows = table.key_fingerprint == key_fingerprint
                why = f"key {key_fingerprint} ended"
                self._end(connection, name, table, idgrid, rows, actor=idgrid, why=why)

    def of_others(self, connection: Connection, idgrid: str) -> None:
        """A new password: whoever was signed in or had a token signs in anew."""
        for name, table in SESSIONS_AND_TOKENS:
            self._end(connection, name, table, idgrid, actor=idgrid, why="new password")

    def of_passkey(self, connection: Connection, holder: str, passkey_id: str) -> None:
        """A passkey was removed: the sessions it opened end."""
        opened = delete(SessionRow).where(
            SessionRow.kind == SESSION, SessionRow.passkey_id == passkey_id
        )
        count = connection.execute(opened).rowcount
        self._tell(
            connection,
            "sessions",
            idgrid_of(holder),
            count,
            actor=holder,
            why="passkey removed",
        )

    def of_everything(self, connection: Connection, idgrid: str, *, actor: str) -> None:
        """A recovery: nothing that was there before opens the household's data."""
        links = update(SessionRow).where(
            _is_of(SessionRow, idgrid), SessionRow.kind == LINK, SessionRow.used_ms.is_(None)
        )
        count = connection.execute(links.values(used_ms=self._clock_ms())).rowcount
        self._tell(connection, "links", idgrid, count, actor=actor, why="recovery")
        for name, table in EVERYTHING:
            self._end(connection, name, table, idgrid, actor=actor, why="recovery")
        waiting = update(KeyRequestRow).where(
            KeyRequestRow.idgrid == idgrid,
            KeyRequestRow.purpose == "device",
            KeyRequestRow.state == "waiting",
        )
        count = connection.execute(waiting.values(state="refused")).rowcount
        self._tell(connection, "devices that asked", idgrid, count, actor=actor, why="recovery")

    def _end(
        self,
        connection: Connection,
        name: str,
        table: Table,
        idgrid: str,
        *rows: ColumnElement[bool],
        actor: str,
        why: str,
    ) -> None:
        if table is SessionRow:
            rows = (*rows, SessionRow.kind == SESSION)  # a used link has to stay used
        count = connection.execute(delete(table).where(_is_of(table, idgrid), *rows)).rowcount
        self._tell(connection, name, idgrid, count, actor=actor, why=why)

    def _tell(
        self, connection: Connection, name: str, idgrid: str, count: int, *, actor: str, why: str
    ) -> None:
        if count:
            self._log.add(
                connection,
                actor=actor,
                action=f"{name} ended",
                idgrid=idgrid,
                detail=f"{count}, {why}",
            )


def _is_of(table: Any, idgrid: str) -> ColumnElement[bool]:
    """Rows of a household; the manager's have no IDgrid."""
    assert idgrid, "the manager's sessions end by their time"
    is_household: ColumnElement[bool] = table.idgrid == idgrid
    return is_household & ~SessionRow.is_manager if table is SessionRow else is_household

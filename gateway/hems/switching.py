"""Switch commands for plugs: issued once, sent until answered, each with an id and an expiry.

A node answers with the command's id. A shop-bought plug knows no ids: it has carried the command
out when the state it reports is the wanted one. Some report only what changes: one that was last
known to be as it is wanted, and says nothing else for a while after it was told, has nothing to
carry out. A newer command for a device ends the one before, whose repetition would undo it. Calls
block.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update

from gateway.database import Database
from gateway.hems.sending import SentCommands
from gateway.hems.tables import CommandRow
from gateway.hems.transfer_rules import NO_ANSWER, RESEND_UNANSWERED_MS, Command
from gateway.mqtt.device_messages import (
    ACCEPTED,
    DONE,
    FAILED,
    FORMAT_VERSION,
    Acknowledgement,
    DeviceState,
)

OPEN = ""
"""The status of a command without an answer."""
SUPERSEDED = "superseded"
UNCHANGED_AFTER_MS = 2_000
"""So long after it was told a plug that is as it is wanted may say otherwise."""
ANSWER_GRACE_MS = 2_000
"""An answer to what was carried out in the last moment is on its way so long."""
KEPT_MS = 30 * 24 * 3_600_000
_WAITING = (OPEN, ACCEPTED)


@dataclass(frozen=True, slots=True)
class SwitchCommand:
    """A command and how it stands: `status` is empty, accepted, done, failed or refused."""

    command_id: str
    device_id: str
    is_on: bool
    issued_ms: int
    expires_ms: int
    status: str
    reason: str
    answered_ms: int | None


class SwitchBook:
    """All switch commands of the last `KEPT_MS`."""

    def __init__(
        self,
        database: Database,
        *,
        answering_by_state: Collection[str] = (),
        is_on: Callable[[str], bool | None] = lambda _: None,
    ) -> None:
        """`answering_by_state`: devices that know no command ids.

        `is_on` says how one is switched that is there; None if it is not, or nobody knows.
        """
        self._database = database
        self._is_on = is_on
        self._answering_by_state = frozenset(answering_by_state)
        self._sent = SentCommands()
        self._told_ms: dict[str, int] = {}
        """When the broker took an open command first; after a restart all are sent again."""

    def issue(
        self, device_id: str, *, is_on: bool, now_ms: int, lifetime_ms: int
    ) -> SwitchCommand:
        """Keep a new command to be sent; the device never begins it `lifetime_ms` later."""
        expires_ms = now_ms + lifetime_ms
        new = SwitchCommand(
            f"sw-{uuid4().hex}", device_id, is_on, now_ms, expires_ms, OPEN, "", None
        )
        of_device = CommandRow.device_id == device_id
        with self._database.writing() as connection:
            old = CommandRow.issued_ms < now_ms - KEPT_MS
            connection.execute(delete(CommandRow).where(of_device, old))
            before = [one.command_id for one in _open(connection) if one.device_id == device_id]
            for command_id in before:
                _save(connection, command_id, FAILED, SUPERSEDED, now_ms)
            connection.execute(
                insert(CommandRow).values(
                    command_id=new.command_id,
                    device_id=device_id,
                    is_on=int(is_on),
                    issued_ms=now_ms,
                    expires_ms=expires_ms,
                    status=OPEN,
                    reason="",
                    answered_ms=None,
                )
            )
        return new

    def get(self, command_id: str) -> SwitchCommand | None:
        """One command as it stands."""
        with self._database.reading() as connection:
            return _get(connection, command_id)

    def latest(self, device_id: str, *, since_ms: int) -> SwitchCommand | None:
        """The newest command of a device that was issued at or after an instant."""
        newest = (
            select(*_COLUMNS)
            .where(CommandRow.device_id == device_id, CommandRow.issued_ms >= since_ms)
            .order_by(CommandRow.issued_ms.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(newest).first()
        return None if row is None else _command(*row)

    def note(
        self,
        answers: Sequence[Acknowledgement],
        states: Mapping[str, DeviceState],
        now_ms: int,
    ) -> None:
        """What devices answered and showed; answers to something else are left alone."""
        shown = {
            name: bool(state.plug_on)
            for name, state in states.items()
            if name in self._answering_by_state and state.plug_on is not None
        }
        if not answers and not shown:
            return
        with self._database.writing() as connection:
            for answer in answers:
                found = _get(connection, answer.command_id)
                if found is not None and _is_changed_by(found, answer):
                    _save(connection, found.command_id, answer.status, answer.reason, now_ms)
            for command in _open(connection):
                if shown.get(command.device_id) == command.is_on:
                    _save(connection, command.command_id, DONE, "", now_ms)

    def due(self, now_ms: int) -> list[Command]:
        """Commands to send now; one that was never answered is given up after its expiry."""
        waiting = self._still_waiting(now_ms)
        late = [one for one in waiting if now_ms >= one.expires_ms + ANSWER_GRACE_MS]
        if late:
            with self._database.writing() as connection:
                connection.execute(
                    update(CommandRow)
                    .where(
                        CommandRow.command_id.in_([one.command_id for one in late]),
                        CommandRow.status.in_(_WAITING),
                    )
                    .values(status=FAILED, reason=NO_ANSWER, answered_ms=now_ms)
                )
        wanted = [
            Command(one.device_id, _message(one, now_ms), RESEND_UNANSWERED_MS)
            for one in waiting
            if now_ms < one.expires_ms
        ]
        return self._sent.due(wanted, now_ms)

    def sent(self, command_id: str, now_ms: int) -> None:
        """The broker took it: from now on its device may answer. Does not block."""
        self._told_ms.setdefault(command_id, now_ms)

    def _still_waiting(self, now_ms: int) -> list[SwitchCommand]:
        """The open commands; those that had nothing to change are done by now."""
        with self._database.reading() as connection:
            waiting = _open(connection)
        known = {one.command_id for one in waiting}
        self._told_ms = {name: at_ms for name, at_ms in self._told_ms.items() if name in known}
        unchanged = [
            one.command_id
            for one in waiting
            if one.device_id in self._answering_by_state
            and now_ms >= self._told_ms.get(one.command_id, now_ms) + UNCHANGED_AFTER_MS
            and self._is_on(one.device_id) is one.is_on
        ]
        if unchanged:
            with self._database.writing() as connection:
                for command_id in unchanged:
                    _save(connection, command_id, DONE, "", now_ms)
        return [one for one in waiting if one.command_id not in unchanged]


def _message(command: SwitchCommand, now_ms: int) -> dict[str, Any]:
    return {
        "v": FORMAT_VERSION,
        "id": command.command_id,
        "op": "switch",
        "t": now_ms,
        "expires": command.expires_ms,
        "on": int(command.is_on),
    }


def _is_changed_by(command: SwitchCommand, answer: Acknowledgement) -> bool:
    """A device's own word counts more than our having waited in vain."""
    is_waiting = command.status in _WAITING or command.reason == NO_ANSWER
    return answer.device_id == command.device_id and is_waiting


def _open(connection: Connection) -> list[SwitchCommand]:
    wanted = select(*_COLUMNS).where(CommandRow.status.in_(_WAITING))
    return [_command(*row) for row in connection.execute(wanted)]


def _get(connection: Connection, command_id: str) -> SwitchCommand | None:
    wanted = select(*_COLUMNS).where(CommandRow.command_id == command_id)
    row = connection.execute(wanted).first()
    return None if row is None else _command(*row)


def _save(connection: Connection, command_id: str, status: str, reason: str, now_ms: int) -> None:
    connection.execute(
        update(CommandRow)
        .where(CommandRow.command_id == command_id)
        .values(status=status, reason=reason, answered_ms=now_ms)
    )


def _command(
    command_id: str,
    device_id: str,
    is_on: int,
    issued_ms: int,
    expires_ms: int,
    status: str,
    reason: str,
    answered_ms: int | None,
) -> SwitchCommand:
    return SwitchCommand(
        command_id, device_id, bool(is_on), issued_ms, expires_ms, status, reason, answered_ms
    )


_COLUMNS = (
    CommandRow.command_id,
    CommandRow.device_id,
    CommandRow.is_on,
    CommandRow.issued_ms,
    CommandRow.expires_ms,
    CommandRow.status,
    CommandRow.reason,
    CommandRow.answered_ms,
)

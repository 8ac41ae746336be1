"""Where notices are kept: inboxes, the outbox, and what each household chose."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from gateway.database import Database
from gateway.database.upserting import insert_or_keep, insert_or_replace
from gateway.notices.records import (
    MUTED_UNLESS_CHOSEN,
    Channel,
    Choices,
    InboxEntry,
    Kind,
    Notice,
    Source,
)
from gateway.notices.tables import (
    NoticeChoiceRow,
    NoticeLanguageRow,
    NoticeProgressRow,
    NoticeRow,
    OutboxRow,
    PushDeviceRow,
    WebhookRow,
)
from gateway.readmodel.records import Position

DAY_MS = 24 * 60 * 60 * 1_000
KEPT_MS = 90 * DAY_MS
MAILED_WITHIN_MS = DAY_MS
"""An older notice goes to the inbox only: a gateway new to an old ledger mails no history."""
NOTHING_YET = Position(-1, -1)
WITH_TARGETS = (Channel.WEBHOOK, Channel.PUSH)
NOT_SENT = {"state": "waiting", "attempts": 0, "failure": ""}

Way = tuple[Channel, str]
"""A channel and which of the household's addresses in it (`targets_of`)."""
Told = tuple[Notice, Sequence[Way]]


class NoticeBook:
    """All households' notices. Blocks; an idgrid is one the caller may act for."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def inbox(self, idgrid: str, limit: int) -> list[InboxEntry]:
        """A household's notices, the newest first."""
        wanted = (
            select(NoticeRow)
            .where(NoticeRow.idgrid == idgrid)
            .order_by(
                NoticeRow.created_ms.desc(),
                NoticeRow.block_number.desc(),
                NoticeRow.tx_index.desc(),
            )
            .limit(limit)
        )
        with self.database.reading() as connection:
            return [
                InboxEntry(notice_from(row), row.created_ms) for row in connection.execute(wanted)
            ]

    def choices(self, idgrid: str) -> Choices:
        """What a household chose; what it did not touch is as it is for everybody."""
        with self.database.reading() as connection:
            return choices_of(connection, [idgrid])[idgrid]

    def choose(
        self, idgrid: str, choices: Choices, channels: Sequence[Channel] = tuple(Channel)
    ) -> None:
        """From now on, for these channels; notices there already stay."""
        rows = [
            {
                "idgrid": idgrid,
                "kind": kind.value,
                "channel": channel.value,
                "is_wanted": choices.wants(kind, channel),
            }
            for kind in Kind
            for channel in channels
        ]
        spoken = {"idgrid": idgrid, "language": choices.language}
        with self.database.writing() as connection:
            insert_or_replace(connection, NoticeChoiceRow, rows)
            insert_or_replace(connection, NoticeLanguageRow, [spoken])

    def forget(self, now_ms: int) -> None:
        """Drop what is older than `KEPT_MS`."""
        with self.database.writing() as connection:
            for table in (NoticeRow, OutboxRow):
                connection.execute(delete(table).where(table.created_ms < now_ms - KEPT_MS))


def choices_of(connection: Connection, idgrids: Collection[str]) -> dict[str, Choices]:
    """What each of these households chose; see `NoticeBook.choices`."""
    chosen: dict[str, dict[tuple[Kind, Channel], bool]] = {idgrid: {} for idgrid in idgrids}
    for row in connection.execute(
        select(NoticeChoiceRow).where(NoticeChoiceRow.idgrid.in_(idgrids))
    ):
        chosen[row.idgrid][Kind(row.kind), Channel(row.channel)] = row.is_wanted
    spoken = select(NoticeLanguageRow).where(NoticeLanguageRow.idgrid.in_(idgrids))
    languages = {row.idgrid: row.language for row in connection.execute(spoken)}
    return {
        idgrid: Choices(_muted(wanted), languages.get(idgrid, ""))
        for idgrid, wanted in chosen.items()
    }


def targets_of(
    connection: Connection, idgrids: Collection[str]
) -> dict[tuple[str, Channel], list[str]]:
    """The addresses of these households, for the channels in which they name some themselves."""
    found: dict[tuple[str, Channel], list[str]] = {
        (idgrid, channel): [] for idgrid in idgrids for channel in WITH_TARGETS
    }
    wanted = select(WebhookRow.idgrid, WebhookRow.webhook_id)
    for idgrid, webhook_id in connection.execute(wanted.where(WebhookRow.idgrid.in_(idgrids))):
        found[idgrid, Channel.WEBHOOK].append(webhook_id)
    wanted = select(PushDeviceRow.idgrid, PushDeviceRow.push_id)
    for idgrid, push_id in connection.execute(wanted.where(PushDeviceRow.idgrid.in_(idgrids))):
        found[idgrid, Channel.PUSH].append(push_id)
    return found


def _muted(wanted: Mapping[tuple[Kind, Channel], bool]) -> frozenset[tuple[Kind, Channel]]:
    untouched = {one for one in MUTED_UNLESS_CHOSEN if one not in wanted}
    return frozenset(untouched | {one for one, is_wanted in wanted.items() if not is_wanted})


def locked_progress(connection: Connection) -> tuple[Position, int]:
    """Up to where notices are made (ledger, alarms); others who ask wait for this transaction."""
    nothing = {
        "id": 1,
        "block_number": NOTHING_YET.block_number,
        "tx_index": NOTHING_YET.index,
        "alarm_number": 0,
    }
    insert_or_keep(connection, NoticeProgressRow, nothing)
    row = connection.execute(select(NoticeProgressRow).with_for_update()).one()
    return Position(row.block_number, row.tx_index), row.alarm_number


def move_progress(connection: Connection, position: Position, alarm_number: int) -> None:
    """Remember up to where notices are made."""
    connection.execute(
        update(NoticeProgressRow).values(
            block_number=position.block_number,
            tx_index=position.index,
            alarm_number=alarm_number,
        )
    )


def keep(connection: Connection, told: Collection[Told], now_ms: int) -> None:
    """Put new notices where their households want them."""
    inbox: list[dict[str, object]] = []
    outbox: list[dict[str, object]] = []
    for notice, ways in told:
        values = _columns(notice, now_ms)
        for channel, target in ways:
            if channel is Channel.INBOX:
                inbox.append(values)
            else:
                way = {"channel": channel.value, "target": target}
                outbox.append(values | way | {**NOT_SENT, "due_ms": now_ms})
    if inbox:
        connection.execute(insert(NoticeRow), inbox)
    if outbox:
        connection.execute(insert(OutboxRow), outbox)


def _columns(notice: Notice, now_ms: int) -> dict[str, object]:
    return {
        "idgrid": notice.idgrid,
        "block_number": notice.source.block_number,
        "tx_index": notice.source.index,
        "kind": notice.kind.value,
        "facts": json.dumps(dict(notice.facts)),
        "created_ms": now_ms,
    }


def notice_from(row: Any) -> Notice:
    """The notice of a row of the inbox or the outbox."""
    source = Source(row.block_number, row.tx_index)
    return Notice(row.idgrid, Kind(row.kind), source, json.loads(row.facts))

"""Events and alarms become notices, each once, whatever stops and restarts in between."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence

from chaincode.energy import keys
from chaincode.energy.registry.records import Status
from gateway.books.community import Community
from gateway.hems.alarms import Alarm
from gateway.ledger_access.block_signal import BlockSignal
from gateway.notices import recoveries_told
from gateway.notices.alarms_told import alarms_after, alarms_over
from gateway.notices.book import (
    MAILED_WITHIN_MS,
    NoticeBook,
    Way,
    choices_of,
    keep,
    locked_progress,
    move_progress,
    targets_of,
)
from gateway.notices.records import Channel, Choices, Notice
from gateway.notices.rules import (
    EVENTS_TOLD,
    STATEMENTS_ISSUED,
    notice_of_alarm,
    notices_of,
)
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import EventRecord

EVENTS_PER_STEP = 20
ONLY_TARGET = ("",)
FORGET_EVERY_MS = 60 * 60 * 1_000
ALARM_POLL_S = 1.0
"""Alarms come without a block."""

logger = logging.getLogger(__name__)


class Noticing:
    """Makes notices of what is new. `channels`: the ways this gateway has."""

    def __init__(
        self,
        book: NoticeBook,
        readmodel: ReadModel,
        clock_ms: Callable[[], int],
        channels: Sequence[Channel] = (Channel.INBOX,),
    ) -> None:
        self._book = book
        self._readmodel = readmodel
        self._community = Community(readmodel)
        self._clock_ms = clock_ms
        self._channels = tuple(channels)

    async def run(self, blocks: BlockSignal, made: Sequence[asyncio.Event]) -> None:
        """For ever: after every block; sets all of `made` when there is something new."""
        height, forget_ms = 0, 0
        while True:
            while await asyncio.to_thread(self.step):
                for event in made:
                    event.set()
            if self._clock_ms() >= forget_ms:
                await asyncio.to_thread(self._book.forget, self._clock_ms())
                forget_ms = self._clock_ms() + FORGET_EVERY_MS
            try:
                await asyncio.wait_for(blocks.next(height), ALARM_POLL_S)
            except TimeoutError:
                continue
            height = blocks.height

    def step(self) -> bool:
        """Turn what is new, or a part of it, into notices; False if there was nothing."""
        with self._book.database.writing() as connection:
            position, alarm_number = locked_progress(connection)
            events = self._readmodel.events_after(position, EVENTS_PER_STEP, names=EVENTS_TOLD)
            raised = alarms_after(connection, alarm_number)
            over = alarms_over(connection)
            recovered = recoveries_told.over(connection, self._community, self._clock_ms())
            if not events and not raised and not over and not recovered:
                return False
            found = [*self._of_events(events), *self._of_alarms(raised, over)]
            begun = [notice for notice, _ in found if notice.facts.get("what") == "recovery"]
            recoveries_told.watch(connection, begun, self._community)
            oldest = self._clock_ms() - MAILED_WITHIN_MS
            found += [(notice, at_ms >= oldest) for notice, at_ms in recovered]
            idgrids = {notice.idgrid for notice, _ in found}
            chosen, targets = choices_of(connection, idgrids), targets_of(connection, idgrids)
            told = [
                (notice, self._ways(notice, chosen[notice.idgrid], targets, is_fresh=is_fresh))
                for notice, is_fresh in found
            ]
            keep(connection, told, self._clock_ms())
            move_progress(
                connection,
                events[-1].position if events else position,
                raised[-1].number if raised else alarm_number,
            )
        return True

    def _ways(
        self,
        notice: Notice,
        choices: Choices,
        targets: Mapping[tuple[str, Channel], Sequence[str]],
        *,
        is_fresh: bool,
    ) -> list[Way]:
        return [
            (channel, target)
            for channel in self._channels
            if choices.wants(notice.kind, channel) and (is_fresh or channel is Channel.INBOX)
            for target in targets.get((notice.idgrid, channel), ONLY_TARGET)
        ]

    def _of_events(self, events: list[EventRecord]) -> list[tuple[Notice, bool]]:
        everybody = [
            participant.idgrid
            for participant in self._community.participants()
            if participant.status == Status.APPROVED
        ]
        return [
            (notice, self._is_fresh(event.block_number))
            for event in events
            for notice in notices_of(
                event,
                self._owners_of_statements(event)
                if event.name == STATEMENTS_ISSUED
                else everybody,
            )
        ]

    def _owners_of_statements(self, event: EventRecord) -> list[str]:
        """Participants that have a statement of the run an event tells of."""
        payload = json.loads(event.payload)
        return [
            participant.idgrid
            for participant in self._community.participants()
            if self._readmodel.entry(
                keys.statement(participant.idgrid, payload["month"], payload["run"])
            )
        ]

    def _of_alarms(self, raised: list[Alarm], over: list[Alarm]) -> list[tuple[Notice, bool]]:
        owners = {source.res_id: source.owner_idgrid for source in self._community.sources()}
        meters = self._community.meters()
        owners |= {meter.meter_id: meter.owner_idgrid for meter in meters}
        since_ms = {meter.meter_id: meter.owned_since_ms for meter in meters}
        # A new owner of a device learns nothing from before (docs/access.md).
        seen = [one for one in raised if one.raised_ms >= since_ms.get(one.device_id, 0)]
        ended = [one for one in over if one.raised_ms >= since_ms.get(one.device_id, 0)]
        made = [(notice_of_alarm(alarm, owners), alarm.raised_ms) for alarm in seen]
        made += [
            (notice_of_alarm(alarm, owners, is_over=True), alarm.cleared_ms or alarm.raised_ms)
            for alarm in ended
        ]
        oldest = self._clock_ms() - MAILED_WITHIN_MS
        return [(notice, at_ms >= oldest) for notice, at_ms in made if notice is not None]

    def _is_fresh(self, block_number: int) -> bool:
        block = self._readmodel.block(block_number)
        if block is None or block.consensus is None:
            return False
        return block.consensus.block_time_ms >= self._clock_ms() - MAILED_WITHIN_MS

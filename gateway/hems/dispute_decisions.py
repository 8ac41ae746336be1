"""What the decision of a dispute means for the doubts about the household's meters.

Readings that were set aside lead to a dispute (docs/settlement.md). Its decision is the word of
the manager or the grid operator, who looked into it: an upheld dispute ends the alarm; a rejected
one confirms it, as does a statement of the grid operator in the place of readings, and it stands
until readings are believed again. All are read from the ledger's state, so a gateway that was
away finds them, too.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chaincode.energy import records
from chaincode.energy.settlement.records import Dispute, DisputeState, Substitute
from gateway.books.community import Community
from gateway.books.ledger_records import LedgerRecords
from gateway.hems.alarms import Alarm, AlarmKind
from gateway.hems.service import HemsService
from gateway.ledger_access.block_signal import BlockSignal
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import StateEntry

DECIDED = frozenset({DisputeState.UPHELD, DisputeState.REJECTED})
FAMILIES = ("dispute", "substitute")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Decision:
    """The newest decision about a household; `at_ms` is the time of its block."""

    is_believed: bool
    why: str
    at_ms: int


class DisputeDecisions:
    """Applies decisions to standing alarms. `step` blocks; call it after blocks."""

    def __init__(self, readmodel: ReadModel, hems: HemsService) -> None:
        self._readmodel = readmodel
        self._ledger = LedgerRecords(readmodel)
        self._community = Community(readmodel)
        self._hems = hems
        self._seen = -1

    def step(self, now_ms: int) -> None:
        """Look at decisions that are new here; nothing is done where no alarm stands."""
        newest = max(self._ledger.changed_at(family) for family in FAMILIES)
        if newest == self._seen:
            return
        standing = self._hems.stores.alarms.standing(kind=AlarmKind.SET_ASIDE)
        if standing:
            decisions = self._decisions()
            owners = {meter.meter_id: meter.owner_idgrid for meter in self._community.meters()}
            for alarm in standing:
                self._apply(alarm, decisions, owners, now_ms)
        self._seen = newest

    def _apply(
        self,
        alarm: Alarm,
        decisions: Mapping[str, Decision],
        owners: Mapping[str, str],
        now_ms: int,
    ) -> None:
        """Only a decision made after the alarm was raised is about it."""
        decision = decisions.get(owners.get(alarm.device_id, ""))
        if decision is None or decision.at_ms < alarm.raised_ms:
            return
        if decision.is_believed:
            self._hems.believed_by_decision(alarm.device_id, now_ms)
            logger.info("%s: %s; the alarm ends", alarm.device_id, decision.why)
        else:
            self._hems.stores.alarms.confirm(alarm, decision.why)

    def _decisions(self) -> dict[str, Decision]:
        """The newest decision of every household that has one."""
        found: dict[str, Decision] = {}
        for _, entry in self._ledger.under("dispute"):
            dispute = records.decode(Dispute, entry.value)
            if dispute.state in DECIDED:
                why = f"the dispute of {dispute.listing_id} was {dispute.state}"
                is_believed = dispute.state == DisputeState.UPHELD
                decision = Decision(is_believed, why, self._time_of(entry))
                _keep_newest(found, dispute.idgrid, decision)
        for _, entry in self._ledger.under("substitute"):
            stated = records.decode(Substitute, entry.value)
            why = f"the grid operator stated the energy of {stated.listing_id}"
            decision = Decision(is_believed=False, why=why, at_ms=self._time_of(entry))
            _keep_newest(found, stated.idgrid, decision)
        return found

    def _time_of(self, entry: StateEntry) -> int:
        block = self._readmodel.block(entry.version.block_number)
        return block.consensus.block_time_ms if block and block.consensus else 0


async def keep_deciding(
    decisions: DisputeDecisions, blocks: BlockSignal, clock_ms: Callable[[], int]
) -> None:
    """Look after every block, for ever."""
    while True:
        height = blocks.height
        await asyncio.to_thread(decisions.step, clock_ms())
        await blocks.next(height)


def _keep_newest(found: dict[str, Decision], idgrid: str, decision: Decision) -> None:
    known = found.get(idgrid)
    if known is None or known.at_ms <= decision.at_ms:
        found[idgrid] = decision

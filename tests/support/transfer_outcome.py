"""What runs with transfers must not show: readings or relay cycles that are lost or doubled."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.hems.alarms import Alarm, AlarmKind
from gateway.hems.series import SeriesStore
from gateway.hems.transfer_rules import OVER, Transfer, left_undone
from tests.support.injected_faults import FaultLog


@dataclass
class RelayLog:
    """Closings of relays: which transfer, which node, from when until when."""

    closings: list[tuple[str, str, str, int]] = field(default_factory=list)
    spans: list[tuple[str, int, int]] = field(default_factory=list)

    def cycles(self) -> Counter[tuple[str, str]]:
        return Counter((transfer, device) for transfer, device, _, _ in self.closings)


class WatchedRelays:
    """The outputs of one node, as somebody sees them who writes down every change."""

    def __init__(self, name: str, log: RelayLog) -> None:
        self._name = name
        self._log = log
        self.closed: tuple[str, str, int] | None = None
        """Transfer, side and since when."""

    def see(self, node: Any, now_ms: int) -> None:
        """How a node wants them now; None: it has no power, and they are open."""
        relays = node.relays() if node is not None else {"in": False, "out": False}
        side = "in" if relays["in"] else "out" if relays["out"] else None
        if side is not None and self.closed is None:
            transfer = node.transfers._running.command["id"]
            self.closed = (transfer, side, now_ms)
            self._log.closings.append((transfer, self._name, side, now_ms))
        elif side is None and self.closed is not None:
            self._log.spans.append((self.closed[0], self.closed[2], now_ms))
            self.closed = None


def is_flowing(relays: WatchedRelays, others: Mapping[str, WatchedRelays]) -> bool:
    """Whether both ends of this relay's transfer are closed."""
    return relays.closed is not None and any(
        other.closed is not None
        and other.closed[0] == relays.closed[0]
        and other.closed[1] != relays.closed[1]
        for other in others.values()
    )


@dataclass(frozen=True)
class Outcome:
    """How a run ended. `nodes`: by name, None for one without power."""

    nodes: Mapping[str, Any]
    series: SeriesStore
    transfers: list[Transfer]
    log: RelayLog
    injected: FaultLog
    alarms: list[Alarm]
    now_ms: int

    def amiss(self) -> list[str]:
        """What is not as it must be; empty when the run is right."""
        return [
            *self._readings_amiss(),
            *self._cycles_amiss(),
            *(line for one in self.transfers for line in self.injected.unexplained(one)),
            *self._overlaps(),
            *self._alarms_amiss(),
        ]

    def _readings_amiss(self) -> list[str]:
        wrong = []
        for name, node in self.nodes.items():
            if node is None or node.metering.waiting():
                wrong.append(f"{name} still holds readings")
            gaps = self.series.gaps(name, 0, self.now_ms)
            wrong += [f"{name} has lost {gap}" for gap in gaps if gap.last_seq >= gap.first_seq]
            stored = [found.seq for found in self.series.between(name, 0, self.now_ms)]
            if stored != list(range(1, len(stored) + 1)):
                wrong.append(f"{name} has stored {stored}")
        return wrong

    def _cycles_amiss(self) -> list[str]:
        cycles = self.log.cycles()
        wrong = [f"{key} closed {count} times" for key, count in cycles.items() if count > 1]
        for transfer in self.transfers:
            if transfer.state not in OVER:
                wrong.append(f"{transfer.transfer_id} is {transfer.state}")
            for end in transfer.ends:
                where = f"{transfer.transfer_id}: {end.device_id}"
                closed = cycles[transfer.transfer_id, end.device_id]
                if end.status == "done" and closed != 1:
                    wrong.append(f"{where} is done, closed {closed}")
                if end.status == "refused" and closed:
                    wrong.append(f"{where} refused, yet closed")
        return wrong

    def _alarms_amiss(self) -> list[str]:
        """Nobody is told but of nodes that left a transfer undone, and of each of those."""
        others = [alarm.detail for alarm in self.alarms if alarm.kind != AlarmKind.TRANSFER]
        told = {alarm.device_id for alarm in self.alarms}
        untold = [
            f"{transfer.transfer_id}: nobody is told of {name}"
            for transfer in self.transfers
            for name in left_undone(transfer).keys() - told
        ]
        return others + untold

    def _overlaps(self) -> list[str]:
        """Two transfers of one bus must never have relays closed at the same time."""
        spans = sorted(self.log.spans, key=lambda span: span[1])
        return [
            f"{one[0]} and {other[0]} overlap"
            for number, one in enumerate(spans)
            for other in spans[number + 1 :]
            if one[0] != other[0] and other[1] < one[2]
        ]

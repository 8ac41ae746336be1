"""What a test broke on purpose, and whether that explains a transfer which did not end as agreed.

A transfer may fail when something was broken, and only for that: every reason that a node or the
gateway gives needs a fault which can have it as its consequence, in the transfer's own time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.hems.transfer_rules import GRACE_MS, TURN_OVER, Transfer, left_undone

LINK_LOST_MS = 30_000
"""After so long without the broker a node opens its relay (firmware, `transfers.py`)."""


class Broken(StrEnum):
    """What was taken away."""

    BROKER = "broker"
    LINK = "link"
    NODE = "node"
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing gone from an instant to another; of one device, or of everybody (empty)."""

    kind: Broken
    begins_ms: int
    ends_ms: int
    device_id: str = ""


class FaultLog:
    """Written by whoever breaks things. A lost message is none: it must change nothing."""

    def __init__(self, *, reconnect_ms: int) -> None:
        """`reconnect_ms`: how long a device may take to be back when the way is free again."""
        self._reconnect_ms = reconnect_ms
        self.faults: list[Fault] = []

    def note(self, kind: Broken, begins_ms: int, ends_ms: int, device_id: str = "") -> None:
        self.faults.append(Fault(kind, begins_ms, ends_ms, device_id))

    def unexplained(self, transfer: Transfer) -> list[str]:
        """Ends that left a transfer undone though nothing was broken that leads there.

        A turn that was over before the energy had flowed needs a reason here, too.
        """
        cut = {end.device_id: end.reason for end in transfer.ends if end.reason == TURN_OVER}
        return [
            f"{transfer.transfer_id}: nothing made {device_id} say {reason}"
            for device_id, reason in (left_undone(transfer) | cut).items()
            if not self._explains(transfer, device_id, reason)
        ]

    def _explains(self, transfer: Transfer, device_id: str, reason: str) -> bool:
        during = [
            fault
            for fault in self.faults
            if fault.begins_ms < transfer.until_ms + GRACE_MS
            and fault.ends_ms + self._reconnect_ms >= transfer.begins_ms
        ]
        own = [fault for fault in during if fault.device_id in ("", device_id)]
        if reason == "reset":
            return any(fault.kind == Broken.NODE for fault in own)
        if reason == "lost_link":
            away = [fault for fault in own if fault.kind in (Broken.BROKER, Broken.LINK)]
            return self._longest_ms(away) >= LINK_LOST_MS
        # What ran out of time: this end, the other one or the gateway between was away so long.
        ends = {"", *(end.device_id for end in transfer.ends)}
        return reason in ("until", TURN_OVER, "expired", "no_answer") and any(
            fault.device_id in ends for fault in during
        )

    def _longest_ms(self, faults: Iterable[Fault]) -> int:
        """The longest time away; what is not back between two faults was away all the time."""
        longest_ms = begins_ms = ends_ms = 0
        for fault in sorted(faults, key=lambda one: one.begins_ms):
            if fault.begins_ms > ends_ms:
                begins_ms = fault.begins_ms
            ends_ms = max(ends_ms, fault.ends_ms + self._reconnect_ms)
            longest_ms = max(longest_ms, ends_ms - begins_ms)
        return longest_ms

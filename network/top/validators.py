"""The validators of a plan as they are now: their processes here, and what they answer."""

import time

from network.plan import Plan
from network.running.heads import Head, heads
from network.running.lifecycle import PeerStatus, require_network, status
from network.running.process_usage import cpu_seconds
from network.top.snapshot import ValidatorState

PERCENT = 100


class ValidatorWatch:
    """Looks again and again; what a process used is counted since the look before."""

    def __init__(self, plan: Plan) -> None:
        """Raises `LifecycleError` unless the plan's network was made here."""
        self._plan = plan
        self._layout = require_network(plan)
        self._cpu_s: dict[int, tuple[float, float]] = {}
        """Per process: when it was looked at, and what it had used by then."""

    async def look(self) -> tuple[ValidatorState, ...]:
        """All of them, in the plan's order."""
        found = list(status(self._plan))
        running = [one.peer for one in found if one.pid is not None]
        answers = await heads(self._plan, self._layout, running)
        by_id = {peer.id: head for peer, head in zip(running, answers, strict=True)}
        top = max((head.height for head in answers if head is not None), default=0)
        return tuple(self._state(one, by_id.get(one.peer.id), top) for one in found)

    def _state(self, found: PeerStatus, head: Head | None, top: int) -> ValidatorState:
        return ValidatorState(
            name=found.peer.id,
            address=found.peer.address,
            is_running=found.pid is not None,
            height=head.height if head else None,
            round=head.round if head else None,
            lag_blocks=top - head.height if head else None,
            resident_bytes=found.resident_bytes,
            cpu_percent=self._cpu_percent(found.pid) if found.pid is not None else 0.0,
        )

    def _cpu_percent(self, pid: int) -> float:
        """Of the process and its contracts."""
        now_s, used_s = time.monotonic(), cpu_seconds([pid])
        before_s, used_before_s = self._cpu_s.get(pid, (now_s, used_s))
        self._cpu_s[pid] = (now_s, used_s)
        elapsed_s = now_s - before_s
        return PERCENT * (used_s - used_before_s) / elapsed_s if elapsed_s else 0.0

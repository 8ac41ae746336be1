"""What home automations want switched: the latest word per device, and not too often.

A household may publish as fast as it likes; each command costs a transaction of the gateway and a
message to a device. Of what comes sooner than `SWITCH_SPACING_MS` after the last only the latest
is kept until then, so a device ends as it was wanted last. Pure; of one thread.
"""

from collections import defaultdict
from dataclasses import dataclass, field

SWITCH_SPACING_MS = 1_000
"""Between two commands of one household for one device."""
SWITCHED_PER_HOUSEHOLD_MAX = 50
"""So many of a household are switched within `SWITCH_SPACING_MS`; it may invent names."""


@dataclass(frozen=True, slots=True)
class SwitchWish:
    """A household wants a device on or off."""

    idgrid: str
    device_id: str
    is_on: bool


@dataclass(slots=True)
class _Household:
    """Its wishes that wait, and when it switched a device last."""

    waiting: dict[str, SwitchWish] = field(default_factory=dict)
    switched_ms: dict[str, int] = field(default_factory=dict)

    def forget(self, now_ms: int) -> None:
        """What no longer holds up anything."""
        self.switched_ms = {
            device_id: at_ms
            for device_id, at_ms in self.switched_ms.items()
            if now_ms - at_ms < SWITCH_SPACING_MS
        }

    def due(self, now_ms: int) -> list[SwitchWish]:
        self.forget(now_ms)
        due = [device_id for device_id in self.waiting if device_id not in self.switched_ms]
        self.switched_ms |= dict.fromkeys(due, now_ms)
        return [self.waiting.pop(device_id) for device_id in due]


class SwitchWishes:
    """Those of all households."""

    def __init__(self) -> None:
        self._households: defaultdict[str, _Household] = defaultdict(_Household)

    def ask(self, wish: SwitchWish, now_ms: int) -> bool:
        """Take the place of the wish before; False if its household has too many already."""
        household = self._households[wish.idgrid]
        household.forget(now_ms)
        known = household.waiting.keys() | household.switched_ms.keys()
        if wish.device_id not in known and len(known) >= SWITCHED_PER_HOUSEHOLD_MAX:
            return False
        household.waiting[wish.device_id] = wish
        return True

    def is_due(self, wish: SwitchWish, now_ms: int) -> bool:
        """Whether it need not wait."""
        switched_ms = self._households[wish.idgrid].switched_ms.get(wish.device_id)
        return switched_ms is None or now_ms - switched_ms >= SWITCH_SPACING_MS

    def due(self, now_ms: int) -> list[SwitchWish]:
        """Those whose time has come; each is told once."""
        return [wish for one in self._households.values() for wish in one.due(now_ms)]

"""A household switches a device of its own: from its page, its scripts or its home automation."""

from dataclasses import dataclass

from chaincode.energy.registry.devices import METER, PLUG
from chaincode.energy.registry.records import Meter, Status
from gateway.books.community import Community
from gateway.books.own_devices import owned_device
from gateway.errors import Problem, RequestRefused
from gateway.hems.switching import SwitchBook, SwitchCommand

CHARGER = "ev_charger"
"""The kind of a participant (docs/flexible-loads.md)."""
NO_PLUG = "this device is no approved plug"
LIFETIME_MS_DEFAULT = 5_000
"""So long a device may begin what it was told."""


@dataclass(frozen=True, slots=True)
class OwnSwitching:
    """The one way to a switch command; calls block."""

    community: Community
    switches: SwitchBook

    def switch(
        self,
        idgrid: str,
        device_id: str,
        *,
        is_on: bool,
        now_ms: int,
        lifetime_ms: int = LIFETIME_MS_DEFAULT,
    ) -> SwitchCommand:
        """Issue a command, which ends the one before; `RequestRefused` for any other device.

        A household switches its approved plugs, a car's charger that is a participant of its own
        the node that meters and switches it.
        """
        device = owned_device(self.community, idgrid, device_id)
        _require_plug(device, is_plug=device.kind == PLUG or self._is_charger(device))
        return self.switches.issue(device_id, is_on=is_on, now_ms=now_ms, lifetime_ms=lifetime_ms)

    def switch_plug(
        self, idgrid: str, device_id: str, *, is_on: bool, now_ms: int
    ) -> SwitchCommand:
        """For a home automation: approved plugs only; `RequestRefused` for any other device."""
        device = owned_device(self.community, idgrid, device_id)
        _require_plug(device, is_plug=device.kind == PLUG)
        return self.switches.issue(
            device_id, is_on=is_on, now_ms=now_ms, lifetime_ms=LIFETIME_MS_DEFAULT
        )

    def _is_charger(self, device: Meter) -> bool:
        owner = self.community.participant(device.owner_idgrid)
        return device.kind == METER and owner is not None and owner.kind == CHARGER


def _require_plug(device: Meter, *, is_plug: bool) -> None:
    if not is_plug or device.status != Status.APPROVED:
        raise RequestRefused(Problem.FORBIDDEN, NO_PLUG)

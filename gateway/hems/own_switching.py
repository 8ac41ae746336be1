"""A household switches a device of its own: from its page, its scripts or its home automation."""

from dataclasses import dataclass

from chaincode.energy.registry.devices import PLUG
from chaincode.energy.registry.records import Status
from gateway.books.community import Community
from gateway.books.own_devices import owned_device
from gateway.errors import Problem, RequestRefused
from gateway.hems.switching import SwitchBook, SwitchCommand

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
        """Issue a command, which ends the one before; `RequestRefused` for another's device."""
        owned_device(self.community, idgrid, device_id)
        return self.switches.issue(device_id, is_on=is_on, now_ms=now_ms, lifetime_ms=lifetime_ms)

    def switch_plug(
        self, idgrid: str, device_id: str, *, is_on: bool, now_ms: int
    ) -> SwitchCommand:
        """For a home automation: approved plugs only; `RequestRefused` for any other device.

        Over HTTP a charger that meters itself is switched as well, by a token with that right.
        """
        device = owned_device(self.community, idgrid, device_id)
        if device.kind != PLUG or device.status != Status.APPROVED:
            raise RequestRefused(Problem.FORBIDDEN, "this device is no approved plug")
        return self.switch(idgrid, device_id, is_on=is_on, now_ms=now_ms)

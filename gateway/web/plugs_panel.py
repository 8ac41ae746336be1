"""A household's plugs on its devices' page: on or off, their power, and the last command."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaincode.energy.registry.devices import PLUG
from gateway.hems.switching import OPEN, SUPERSEDED, SwitchCommand
from gateway.hems.transfer_rules import NO_ANSWER
from gateway.identity.sight import own_measured
from gateway.mqtt.device_messages import ACCEPTED, DONE, FAILED, REFUSED
from gateway.services import Services
from gateway.web.languages import N_

COMMAND_STATES = {
    OPEN: N_("no answer yet"),
    ACCEPTED: N_("taken"),
    DONE: N_("done"),
    FAILED: N_("not done"),
    REFUSED: N_("refused by the plug"),
}
COMMAND_REASONS = {
    NO_ANSWER: N_("it did not answer in time"),
    SUPERSEDED: N_("a newer command came before it"),
}


@dataclass(frozen=True, slots=True)
class OwnPlug:
    """One plug; None for what it has not told, and where nothing was commanded."""

    device_id: str
    status: str
    """As the registry has it; only an approved plug is switched."""
    is_on: bool | None
    power_w: int | None
    last: SwitchCommand | None


def own_plugs(services: Services, idgrid: str) -> Sequence[OwnPlug]:
    """Of this household; none in a gateway without a broker."""
    if services.hems is None:
        return ()
    stores = services.hems.stores
    found = []
    for device in services.community.meters():
        if device.kind != PLUG or device.owner_idgrid != idgrid:
            continue
        known = stores.devices.get(device.meter_id)
        measured = own_measured(device, services.measurements.latest(device.meter_id))
        found.append(
            OwnPlug(
                device_id=device.meter_id,
                status=device.status,
                is_on=None if known is None or known.plug_on is None else bool(known.plug_on),
                power_w=measured.power_w if measured is not None else None,
                last=stores.switches.latest(device.meter_id, since_ms=device.owned_since_ms),
            )
        )
    return found

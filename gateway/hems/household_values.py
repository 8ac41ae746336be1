"""What a household's pages show of its devices, out of the stored measurements.

See `gateway.ports.Measurements`; whoever asks has checked that the reader may see the household.
"""

from collections.abc import Sequence

from chaincode.energy.registry.devices import PLUG
from chaincode.energy.registry.records import Meter
from gateway.books.community import Community
from gateway.hems.measurements import MeasurementStore
from gateway.ports import ApplianceEnergy, Measured

MILLIWATTS_PER_WATT = 1_000


class HouseholdValues:
    """Voltage and power of a device; energy per metering plug. Calls block."""

    def __init__(self, store: MeasurementStore, community: Community) -> None:
        self._store = store
        self._community = community

    def latest(self, device_id: str) -> Measured | None:
        """The newest measurement of a meter, source, battery or plug."""
        found = self._store.latest(device_id)
        if found is None:
            return None
        power_w = None if found.p_mw is None else round(found.p_mw / MILLIWATTS_PER_WATT)
        return Measured(device_id, found.t_ms, voltage_mv=found.u_mv, power_w=power_w)

    def appliances(
        self, owner_idgrid: str, from_ms: int, until_ms: int
    ) -> Sequence[ApplianceEnergy]:
        """Energy per plug that is registered for the household, under the plug's id."""
        plugs = [
            device
            for device in self._community.meters()
            if device.kind == PLUG and device.owner_idgrid == owner_idgrid
        ]
        totals = [
            ApplianceEnergy(plug.meter_id, plug.meter_id, self._energy_wh(plug, from_ms, until_ms))
            for plug in plugs
        ]
        return sorted(totals, key=lambda total: (-total.energy_wh, total.device_id))

    def _energy_wh(self, plug: Meter, from_ms: int, until_ms: int) -> int:
        since_ms = plug.owned_since_ms
        return self._store.energy_wh(
            plug.meter_id, max(from_ms, since_ms), until_ms, not_before_ms=since_ms
        )

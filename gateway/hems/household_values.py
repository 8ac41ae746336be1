"""What a household's pages show of its devices, out of the stored measurements.

See `gateway.ports.Measurements`; whoever asks has checked that the reader may see the household.
"""

from collections.abc import Sequence

from gateway.books.community import Community
from gateway.hems.measurements import MeasurementStore
from gateway.ports import ApplianceEnergy, Measured

MILLIWATTS_PER_WATT = 1_000
PLUG = "plug"


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
            one
            for plug in plugs
            for one in self._store.totals(
                [plug.meter_id], max(from_ms, plug.owned_since_ms), until_ms
            )
        ]
        totals.sort(key=lambda total: (-total.energy_wh, total.device_id))
        return [ApplianceEnergy(one.device_id, one.device_id, one.energy_wh) for one in totals]

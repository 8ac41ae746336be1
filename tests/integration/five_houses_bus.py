"""Five houses on one DC bus: their meters see what flows through closed relays (001:1749-1757).

The same way as `five_houses_world`, and the shipped planner between market and nodes, started
anew at every look: trades become transfers, relays close in turn, their energy is what is signed.
"""

from datetime import datetime, timedelta
from pathlib import Path

from gateway.hems.planning import TransferPlanner
from gateway.hems.transfer_rules import OVER, Transfer, TransferState
from gateway.mqtt.device_messages import ACCEPTED
from tests.integration.five_houses_world import QUARTER, FiveHouses, House
from tests.support.conditions import until
from tests.unit.energy.community import Household
from tests.unit.gateway.hems import Hems, hems_of

SURPLUS_WH = (300, -200, 200, -150, -150)
"""Houses 1 and 3 have panels (docs/wiring.md)."""
BUS_POWER_MW, SAMPLE_MS = 2_400_000, 10_000
LATE_MS = 5_000
"""A sample comes so late at most: time leaps by this (`leaping_node.py`)."""
LOOKS = (timedelta(minutes=5), timedelta(minutes=10))
"""In every quarter, beside its end: when the gateway looks whose turn it is."""
POLL_S = 0.05
MS_MW_PER_WH = 3_600_000_000


def sample_wh() -> float:
    """What flows in the longest sample."""
    return BUS_POWER_MW * (SAMPLE_MS + LATE_MS) / MS_MW_PER_WH


class BusHouse(House):
    """Its battery carries its load; beside its relays nothing flows."""

    def __init__(self, home: Household, number: int, folder: Path) -> None:
        super().__init__(home, number, folder)
        self._surplus_wh = SURPLUS_WH[number]
        self.sample_ms, self.bus_power_mw = SAMPLE_MS, BUS_POWER_MW

    def net_wh(self, hour: datetime) -> int:
        """What it has to give, or needs, in every hour."""
        return self._surplus_wh

    def profile_mw(self, hour: datetime) -> int:
        return 0

    def is_closed(self) -> bool:
        """Either relay, as its pins say."""
        return any(self.node.pins(side)[-1:] == [1] for side in ("in", "out"))


class FiveHousesOnABus(FiveHouses):
    """With relays, a planner and turns."""

    house = BusHouse
    planned: list[str]
    """Ids of the transfers, as each planner said what was new to it."""

    async def run(self) -> None:
        self.planned = []
        async with hems_of(self.community) as self._hems:
            await super().run()

    def transfers(self) -> list[Transfer]:
        return sorted(self.service.stores.transfers.all(), key=lambda one: one.number)

    async def _begin_delivery(self) -> None:
        await self._take_turns()

    async def _until(self, instant: datetime, hour: datetime) -> None:
        for look in LOOKS:
            await self._run_nodes(instant - QUARTER + look, hour)
            await self._tell_the_time(instant - QUARTER + look)
            await self._take_turns()
        await super()._until(instant, hour)
        await self._take_turns()

    async def _take_turns(self) -> None:
        """Plan, with a planner that remembers nothing; then the next has its relays closed."""
        hems: Hems = self._hems
        await hems.catch_up()
        books = hems.services.readmodel, hems.services.market, hems.services.community
        self.planned += TransferPlanner(*books, self.service.stores).plan(self.now_ms)
        await until(self._is_settled, poll_s=POLL_S)

    def _is_settled(self) -> bool:
        """Nobody waits, or both ends of the one whose turn it is have said so and closed."""
        self.service.has_command.set()
        wanted = [
            one
            for one in self.transfers()
            if one.state not in OVER and one.begins_ms <= self.now_ms
        ]
        houses = {house.home.meter_id: house for house in self.houses}
        return not wanted or any(
            one.state == TransferState.RUNNING
            and all(
                end.status == ACCEPTED and houses[end.device_id].is_closed() for end in one.ends
            )
            for one in wanted
        )

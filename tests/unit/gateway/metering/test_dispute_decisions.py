"""Readings were set aside: what the dispute decides is what becomes of the alarm."""

import pytest

from gateway.hems.alarms import Alarm
from gateway.hems.dispute_decisions import DisputeDecisions
from gateway.hems.virtual_meter import VirtualMeter
from tests.support.contract_recording import record
from tests.unit.energy.community import LISTING, Community, Household, milliseconds
from tests.unit.energy.settlement.trades import settled_trade, substitute
from tests.unit.gateway.books.busy_street import replayed
from tests.unit.gateway.metering.data_service import Keys, Scene


class World:
    """A settled trade; the buyer's meter then said what cannot be true."""

    def __init__(self) -> None:
        self.community: Community
        self.community, self.seller, self.buyer = settled_trade(8000, 9000)
        self.transactions = record(self.community.ledger)
        meter = VirtualMeter(self.buyer.meter_id, self.buyer.meter.private_key)
        self.scene = Scene(Keys(meter), now_ms=self.now_ms)
        self.scene.hear((f"{self.buyer.meter_id}/reading", b"{}"))
        registered = self.community.ledger.state(f"meter~{self.buyer.meter_id}")
        assert registered is not None
        self.registered = registered

    @property
    def now_ms(self) -> int:
        return milliseconds(self.community.ledger.now)

    def dispute(self, home: Household, decision: str, *, corrected: bool = False) -> None:
        home.client.submit("settlement:dispute", LISTING, "I used less")
        if corrected:
            substitute(self.community, self.seller, exported_wh=7_000)
            self.community.dso.submit("settlement:correct", LISTING)
        self.community.manager.submit(
            "settlement:decide_dispute", LISTING, home.idgrid, decision, "looked at"
        )

    def look(self) -> list[Alarm]:
        """What stands after a gateway, started now, has looked at the ledger."""
        first, *rest = self.transactions
        known = first.writes | {f"meter~{self.buyer.meter_id}": self.registered}
        seen = replayed([type(first)(first.function, first.args, known, first.at_ms), *rest])
        DisputeDecisions(seen, self.scene.service).step(self.now_ms)
        return self.scene.stores.alarms.standing()


def test_an_upheld_dispute_ends_the_alarm() -> None:
    world = World()
    world.dispute(world.buyer, "UPHELD", corrected=True)
    assert world.look() == []
    assert [alarm.kind for alarm in world.scene.alarms] == ["set_aside"] * 2, "raised and over"


def test_a_rejected_dispute_confirms_it_once() -> None:
    world = World()
    world.dispute(world.buyer, "REJECTED")
    (alarm,) = world.look()
    assert alarm.detail.endswith(f"; the dispute of {LISTING} was REJECTED")
    (again,) = world.look()
    assert again.detail == alarm.detail


def test_the_grid_operator_s_statement_confirms_it() -> None:
    world = World()
    substitute(world.community, world.buyer, imported_wh=8_000)
    (alarm,) = world.look()
    assert alarm.detail.endswith(f"; the grid operator stated the energy of {LISTING}")


@pytest.mark.parametrize("decision", ["UPHELD", "REJECTED"])
def test_a_decision_from_before_the_alarm_is_not_about_it(decision: str) -> None:
    world = World()
    world.dispute(world.buyer, decision, corrected=decision == "UPHELD")
    (before,) = world.scene.stores.alarms.standing()
    world.scene.now_ms += 60_000
    world.scene.service.believed_by_decision(world.buyer.meter_id, world.scene.now_ms)
    world.scene.hear((f"{world.buyer.meter_id}/reading", b"{}"))
    (alarm,) = world.look()
    assert (alarm.number > before.number, alarm.detail) == (True, before.detail)


def test_another_household_s_dispute_changes_nothing() -> None:
    world = World()
    world.dispute(world.seller, "REJECTED")
    (alarm,) = world.look()
    assert "dispute" not in alarm.detail

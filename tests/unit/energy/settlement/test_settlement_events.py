"""What settlement tells the parties, in the form other systems know."""

import pytest

from tests.unit.energy.community import LISTING, Community
from tests.unit.energy.settlement.trades import one_trade, settled_trade

GWEI = 10**9


@pytest.mark.row("E051")
@pytest.mark.row("E052")
@pytest.mark.parametrize(
    ("received_wh", "paid_gwei"),
    [(0, 0), (3000, 162_000), (8000, 432_000), (10_000, 540_000), (12_000, 540_000)],
)
def test_settlement_state_names_the_prosumer_and_the_payment_in_wei(
    received_wh: int, paid_gwei: int
) -> None:
    community, seller, buyer = one_trade(scale=GWEI)
    community.deliver({seller.idgrid: (0, received_wh), buyer.idgrid: (received_wh, 0)})
    community.settle()
    event = community.ledger.events[-1]
    assert event.name == "SettlementState"
    expected = {
        "prosumer": seller.idgrid,
        "lockedFundsContract": "market",
        "payment": str(paid_gwei * GWEI),
    }
    assert event.value["payments"] == ([expected] if paid_gwei else [])
    assert event.value["refunded_utoken"] == (540_000 - paid_gwei) * GWEI
    assert community.account(buyer)["locked_utoken"] == 0


def test_the_published_payment_to_the_last_digit() -> None:
    community, seller, buyer = one_trade(scale=GWEI)
    community.deliver({seller.idgrid: (0, 8000), buyer.idgrid: (8000, 0)})
    settled = community.settle()
    (payment,) = community.ledger.events[-1].value["payments"]
    assert payment["payment"] == "432000000000000"
    assert settled["refunded_utoken"] == 108000000000000


def test_energy_received_is_told_when_the_readings_arrive() -> None:
    community, _, buyer = settled_trade(8000, 8000)
    told = [event for event in community.ledger.events if event.name == "EnergyReceived"]
    assert len(told) == 2
    registers = {entry["meter_id"]: entry["import_wh"] for entry in told[-1].value["readings"]}
    assert registers[buyer.meter_id] == 8000


def test_a_decision_of_many_pages_is_told_once_and_its_end_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chaincode.energy.settlement.planning.PAGE_HOUSEHOLDS_MAX", 1)
    community, seller, buyer = one_trade()
    community.deliver({seller.idgrid: (0, 8000), buyer.idgrid: (8000, 0)})
    while community.settle()["state"] != "SETTLED":
        pass
    assert names_since_readings(community) == [
        "SettlementDecided",
        "SettlementState",
        "SettlementState",
        "SettlementPaid",
    ]
    listing = community.manager.evaluate("market:get_listing", LISTING)
    assert listing["state"] == "SETTLED"


def names_since_readings(community: Community) -> list[str]:
    names = [event.name for event in community.ledger.events]
    last = len(names) - 1 - names[::-1].index("EnergyReceived")
    return names[last + 1 :]

"""What the meter signs of how its hour was measured stands in the line, whoever carried it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chaincode.energy.settlement import metering
from tests.unit.energy.community import (
    LISTING,
    Community,
    Household,
    hour_of,
    milliseconds,
    refuses,
)
from tests.unit.energy.settlement.trades import corrections, line, one_trade, substitute

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "qualities.json").read_text())
START = hour_of(LISTING)
END = START + timedelta(hours=1)
REPORT = "oracle:report_readings"


def deliver(
    community: Community,
    quality_of: dict[str, str],
    *,
    start: timedelta = timedelta(0),
    end: timedelta = timedelta(0),
    **registers: int,
) -> None:
    """The readings at both ends, `start` and `end` off them; qualities are those of the end."""
    community.ledger.at(START)
    for home in community.households:
        community.oracle.submit(REPORT, [home.reading(milliseconds(START + start))])
    community.ledger.at(END)
    for home in community.households:
        quality = quality_of.get(home.idgrid, "measured")
        changes: dict[str, Any] = registers | {"quality": quality}
        community.oracle.submit(REPORT, [home.reading(milliseconds(END + end), **changes)])


@pytest.mark.parametrize("hour", VECTORS["hours"], ids=lambda hour: hour["name"])
def test_the_reading_at_the_end_speaks_for_all_of_its_hour(hour) -> None:
    community, seller, buyer = one_trade()
    deliver(community, {buyer.idgrid: hour["q"][-1]}, import_wh=8_000, export_wh=8_000)
    community.settle()
    assert line(community, buyer)["metering"] == hour["line"]
    assert line(community, buyer)["bought_wh"] == 8_000, "what is signed is settled"
    assert line(community, seller)["metering"] == "measured"


def traded_over(first: int, last: int) -> tuple[Community, Household, Household]:
    """A trade of which delivery is between these minutes after the listing's hour."""
    from_ms, to_ms = (milliseconds(START + timedelta(minutes=at)) for at in (first, last))
    return one_trade(
        delivery_start_ms=from_ms,
        delivery_end_ms=to_ms,
        settlement_end_ms=to_ms,
        reading_tolerance_ms=60_000,
    )


def settled_over(community: Community, buyer: Household, period: dict[str, Any]) -> dict[str, Any]:
    """The buyer's line after these readings; the seller's are all measured."""
    *_, last = period["minutes"]
    for minute, quality in period["readings"]:
        time = START + timedelta(minutes=minute)
        community.ledger.at(time)
        for home in community.households:
            said = quality if home is buyer else "measured"
            wh = 8_000 if minute == last else 0
            changes = {"quality": said, "import_wh": wh, "export_wh": wh}
            community.oracle.submit(REPORT, [home.reading(milliseconds(time), **changes)])
    community.settle()
    return line(community, buyer)


@pytest.mark.parametrize("period", VECTORS["periods"], ids=lambda period: period["name"])
def test_every_hour_that_ends_within_a_period_speaks_for_its_part(period) -> None:
    community, _, buyer = traded_over(*period["minutes"])
    settled = settled_over(community, buyer, period)
    assert (settled["bought_wh"], settled["metering"]) == (8_000, period["line"])


@pytest.mark.parametrize(("reads_max", "label"), [(8, "measured"), (7, "estimated")])
def test_more_readings_than_a_transaction_reads_measure_nothing(
    monkeypatch, reads_max, label
) -> None:
    """Two meters: each with its connection, both ends and one whole hour."""
    monkeypatch.setattr(metering, "READINGS_READ_MAX", reads_max)
    period = next(one for one in VECTORS["periods"] if one["line"] == "measured")
    community, _, buyer = traded_over(*period["minutes"])
    assert settled_over(community, buyer, period)["metering"] == label


def test_nobody_who_carries_a_reading_can_call_it_measured() -> None:
    community, _, buyer = one_trade()
    community.ledger.at(END)
    reading = buyer.reading(milliseconds(END), quality="estimated") | {"quality": "measured"}
    refuses(community, "BAD_READING_SIGNATURE", community.oracle, REPORT, [reading])


@pytest.mark.parametrize(
    "off", [{"start": timedelta(seconds=-1)}, {"end": timedelta(seconds=-1)}], ids=str
)
def test_a_reading_that_stands_for_another_instant_measures_no_hour(off) -> None:
    community, _, buyer = one_trade(reading_tolerance_ms=60_000)
    deliver(community, {}, **off)
    community.settle()
    assert line(community, buyer)["metering"] == "estimated"


def with_a_second_meter(community: Community, home: Household) -> Household:
    """Another meter at the household's connection."""
    second = community.join()
    meter = ("m-2", home.idgrid, second.meter.public_key.hex())
    community.dso.submit("registry:register_meter", *meter)
    community.dso.submit("registry:approve_meter", "m-2")
    home.client.submit("access:grant", "market", "m-2")
    second.meter_id = "m-2"
    return second


@pytest.mark.parametrize("estimates", [0, 1, 2])
def test_a_household_is_measured_when_all_of_its_meters_are(estimates: int) -> None:
    community = Community.found()
    seller, buyer = community.join(tokens=0), community.join()
    second = with_a_second_meter(community, seller)
    community.open()
    community.offer(seller, 1_000, 40_000)
    community.bid(buyer, 1_000, 54_000)
    community.close_and_clear()
    names = [home.idgrid for home in (seller, second)][:estimates]
    deliver(community, dict.fromkeys(names, "estimated"))
    community.settle()
    assert line(community, seller)["metering"] == ("estimated" if estimates else "measured")


def test_a_household_disputes_an_estimate_and_the_operators_statement_takes_its_place() -> None:
    """A clamp at the end of its range: nothing was counted, and the line says so."""
    community, seller, buyer = one_trade()
    deliver(community, {buyer.idgrid: "estimated"}, export_wh=8_000)
    community.settle()
    assert (line(community, buyer)["bought_wh"], line(community, buyer)["metering"]) == (
        0,
        "estimated",
    )
    seller.client.submit("settlement:dispute", LISTING, "the other meter was at its end")
    substitute(community, buyer, imported_wh=8_000)
    community.dso.submit("settlement:correct", LISTING)
    decision = (LISTING, seller.idgrid, "UPHELD", "read on site")
    community.dso.submit("settlement:decide_dispute", *decision)
    (corrected,) = corrections(community, buyer)
    assert (corrected["bought_wh"], corrected["metering"]) == (8_000, "substituted")
    assert community.audit()["difference_utoken"] == 0

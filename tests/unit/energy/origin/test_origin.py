"""Tokens of signed production move with the trade; a certificate leads back to its readings."""

import base64
import hashlib
from datetime import timedelta

import pytest

from chaincode.energy.oracle.readings import signed_message
from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.origin.tokens import NOT_MEASURED
from tests.unit.energy.community import LISTING, Community, hour_of, milliseconds, refuses

START = hour_of(LISTING)
HOUR_MS = 3_600_000


@pytest.fixture
def community() -> Community:
    """A generator of 5,000 Wh, a prosumer of 1,000 Wh, two consumers who bought 4,000 Wh."""
    found = Community.found(start="2026-01-15T08:00:00Z")
    for role in ("generator", "prosumer", "consumer", "consumer"):
        found.join(role=role)
    return found


def trade(community: Community, listing: str = LISTING, **parameters) -> None:
    first, second, third, fourth = community.households
    community.ledger.at(hour_of(listing) - timedelta(minutes=12))
    community.open(listing, **parameters)
    community.offer(first, 4_000, 50_000, listing)
    community.offer(second, 1_000, 50_000, listing)
    community.bid(third, 3_000, 60_000, listing)
    community.bid(fourth, 1_500, 60_000, listing)
    community.close_and_clear(listing)


def delivered(community: Community) -> None:
    first, second, third, fourth = (home.idgrid for home in community.households)
    flows = {first: (0, 5_000), second: (0, 1_000), third: (3_000, 0), fourth: (2_000, 0)}
    community.deliver(flows)
    community.settle()


def issued(community: Community) -> dict:
    trade(community)
    delivered(community)
    return community.scheduler.submit("origin:issue", LISTING, 0)


def held(community: Community, at: int) -> list[dict]:
    home = community.households[at]
    return home.client.evaluate("origin:held", home.idgrid)


def token(community: Community, at: int) -> dict:
    name = f"{LISTING}.{community.households[at].idgrid}"
    return community.manager.evaluate("origin:token", name)


@pytest.mark.row("E055")
def test_tokens_are_minted_from_signed_production_and_spent_once(community):
    """The same reading makes one mint; what is spent cannot be sold again: 409."""
    result = issued(community)
    assert (result["minted_wh"], result["certified_wh"]) == (6_000, 4_500)
    generator, _, _, buyer = community.households
    assert (token(community, 0)["minted_wh"], token(community, 0)["left_wh"]) == (5_000, 1_000)
    refusal = refuses(community, "ALREADY_MINTED", community.scheduler, "origin:issue", LISTING, 0)
    assert refusal.status == 409
    sell = generator.client, "origin:transfer", f"{LISTING}.{generator.idgrid}", buyer.idgrid
    generator.client.submit(*sell[1:], 800)
    refusal = refuses(community, "TOKEN_SPENT", *sell, 201)
    assert refusal.status == 409
    generator.client.submit(*sell[1:], 200)
    assert refuses(community, "TOKEN_SPENT", *sell, 1).status == 409
    assert token(community, 0)["left_wh"] == 0


def test_a_reading_of_another_listing_is_not_minted_again(community):
    """The second listing's delivery begins before the first one's has ended."""
    later = "2026-01-15T11"
    end_ms = milliseconds(START) + 2 * HOUR_MS
    trade(community, delivery_end_ms=end_ms, settlement_end_ms=end_ms + HOUR_MS)
    trade(community, later)
    community.report(START)
    for home in community.households[:2]:
        home.export_wh += 2_000
    community.report(START + timedelta(hours=1))
    for home in community.households[:2]:
        home.export_wh += 2_000
    community.households[2].import_wh += 3_000
    community.report(START + timedelta(hours=2))
    community.settle(LISTING)
    community.settle(later)
    community.scheduler.submit("origin:issue", LISTING, 0)
    error = refuses(community, "ALREADY_MINTED", community.scheduler, "origin:issue", later, 0)
    assert error.status == 409


@pytest.mark.row("E060")
def test_the_trace_of_a_kilowatt_hour_shows_source_hour_and_reading(community):
    generator = community.households[0]
    trade(community)
    before = generator.seq
    delivered(community)
    community.scheduler.submit("origin:issue", LISTING, 0)
    [certificate] = [one for one in held(community, 2) if generator.idgrid in one["token_id"]]
    trace = community.households[2].client.evaluate("origin:trace", certificate["certificate_id"])
    assert trace["producer_idgrid"] == generator.idgrid
    assert trace["listing_id"] == LISTING
    assert [(one["res_id"], one["source_type"]) for one in trace["sources"]] == [
        (generator.res_id, "solar")
    ]
    [reading] = trace["readings"]
    assert "exported_wh" not in reading, "the buyer of a part is not told the whole"
    of_producer = generator.client.evaluate("origin:trace", certificate["certificate_id"])
    assert of_producer["readings"] == [reading | {"exported_wh": 5_000}]
    assert (reading["from_seq"], reading["to_seq"]) == (before + 1, before + 2)
    last = MeterReading(
        meter_id=generator.meter_id,
        seq=before + 2,
        t_end_ms=milliseconds(START) + HOUR_MS,
        import_wh=0,
        export_wh=5_000,
        quality="measured",
        signature="",
    )
    assert reading["to_hash"] == hashlib.sha256(signed_message(last)).hexdigest()


def test_certificates_move_what_was_traded_to_who_bought_it(community):
    issued(community)
    wh = [[one["energy_wh"] for one in held(community, at)] for at in range(4)]
    assert [sum(row) for row in wh] == [0, 0, 3_000, 1_500]
    assert {one["source"] for one in held(community, 3)} == {"auction"}


def test_a_wish_decides_whose_energy_it_is(community):
    _, wished, _, buyer = community.households
    community.ledger.at(START - timedelta(minutes=12))
    community.open()
    community.offer(community.households[0], 4_000, 50_000)
    community.offer(wished, 1_000, 50_000)
    community.bid(community.households[2], 3_000, 60_000)
    buyer.client.submit("market:place_bid", LISTING, 1_500, 60_000, [wished.res_id])
    community.close_and_clear()
    delivered(community)
    community.scheduler.submit("origin:issue", LISTING, 0)
    of_wished = [one for one in held(community, 3) if wished.idgrid in one["token_id"]]
    assert (
        sum(one["energy_wh"] for one in of_wished)
        == token(community, 1)["minted_wh"] - (token(community, 1)["left_wh"])
    )
    assert of_wished


def test_energy_from_storage_has_no_origin_unless_its_generator_is_metered(community):
    generator, prosumer = community.households[:2]
    for number, home in enumerate((generator, prosumer)):
        battery = f"battery-{number}"
        home.client.submit("registry:register_res", battery, home.idgrid, "battery", 5_000)
        community.dso.submit("registry:approve_res", battery)
    source_meter = ("pv-meter", prosumer.idgrid, prosumer.meter.public_key.hex(), prosumer.res_id)
    community.dso.submit("registry:register_meter", *source_meter)
    community.dso.submit("registry:approve_meter", "pv-meter")
    trade(community)
    production = pv_readings(prosumer, 700)
    delivered(community)
    community.oracle.submit("oracle:report_readings", production)
    result = community.scheduler.submit("origin:issue", LISTING, 0)
    assert result["uncertified"] == [[generator.idgrid, "storage, and no meter of a generator"]]
    assert result["minted_wh"] == 700
    assert [row[0] for row in token(community, 1)["evidence"]] == [prosumer.meter_id, "pv-meter"]


def with_metered_pv_beside_a_battery(home, community) -> None:
    home.client.submit("registry:register_res", "battery", home.idgrid, "battery", 5_000)
    community.dso.submit("registry:approve_res", "battery")
    meter = ("pv-meter", home.idgrid, home.meter.public_key.hex(), home.res_id)
    community.dso.submit("registry:register_meter", *meter)
    community.dso.submit("registry:approve_meter", "pv-meter")


@pytest.mark.parametrize(
    "said",
    [
        {"quality": "estimated"},
        {"quality": "substituted"},
        {"off_ms": (-1, 0)},
        {"off_ms": (0, -1)},
    ],
    ids=str,
)
def test_a_generator_beside_storage_that_was_not_measured_has_no_origin(community, said):
    """A PV meter nobody has calibrated; one whose reading stands for another instant."""
    _, prosumer = community.households[:2]
    with_metered_pv_beside_a_battery(prosumer, community)
    trade(community, reading_tolerance_ms=60_000)
    delivered(community)
    community.oracle.submit("oracle:report_readings", pv_readings(prosumer, 700, **said))
    line = prosumer.client.evaluate("market:get_line", LISTING, prosumer.idgrid)
    assert line["metering"] == "measured"
    result = community.scheduler.submit("origin:issue", LISTING, 0)
    assert result["uncertified"] == [[prosumer.idgrid, NOT_MEASURED]]
    assert result["minted_wh"] == token(community, 0)["minted_wh"] == 5_000


@pytest.mark.parametrize(("quality", "minted_wh"), [("measured", 300), ("estimated", 0)])
def test_a_generators_hours_within_a_longer_delivery_count(community, quality, minted_wh):
    _, prosumer = community.households[:2]
    with_metered_pv_beside_a_battery(prosumer, community)
    end_ms = milliseconds(START) + 2 * HOUR_MS
    trade(community, delivery_end_ms=end_ms, settlement_end_ms=end_ms)
    for hour in range(3):
        community.report(START + timedelta(hours=hour))
        prosumer.export_wh += 500
    first = pv_readings(prosumer, 200, quality=quality)
    last = pv_reading(prosumer, 3, milliseconds(START) + 2 * HOUR_MS, 300)
    community.oracle.submit("oracle:report_readings", [*first, last])
    community.settle()
    result = community.scheduler.submit("origin:issue", LISTING, 0)
    assert result["minted_wh"] == minted_wh
    assert result["uncertified"] == ([] if minted_wh else [[prosumer.idgrid, NOT_MEASURED]])


def pv_readings(
    signer, wh: int, quality: str = "measured", off_ms: tuple[int, int] = (0, 0)
) -> list[dict]:
    """What the meter `pv-meter` reports at both ends of the hour, `off_ms` off them."""
    start_ms, end_ms = (milliseconds(START) + at * HOUR_MS + off_ms[at] for at in (0, 1))
    return [pv_reading(signer, 1, start_ms, 0), pv_reading(signer, 2, end_ms, wh, quality)]


def pv_reading(signer, seq: int, t_end_ms: int, wh: int, quality: str = "measured") -> dict:
    values = {
        "meter_id": "pv-meter",
        "seq": seq,
        "t_end_ms": t_end_ms,
        "import_wh": 0,
        "export_wh": wh,
        "quality": quality,
    }
    return values | {"signature": signed(signer, values)}


def test_a_meter_that_changed_hands_vouches_for_a_source_after_the_operator_saw_it(community):
    generator, prosumer = community.households[:2]
    prosumer.client.submit("registry:register_res", "battery-1", prosumer.idgrid, "battery", 5_000)
    community.dso.submit("registry:approve_res", "battery-1")
    loose = ("pv-meter", generator.idgrid, generator.meter.public_key.hex(), generator.res_id)
    community.dso.submit("registry:register_meter", *loose)
    community.dso.submit("registry:approve_meter", "pv-meter")
    generator.client.submit("devices:offer_transfer", "pv-meter", prosumer.idgrid)
    prosumer.client.submit("devices:accept_transfer", "pv-meter", prosumer.res_id)
    trade(community)
    delivered(community)
    community.oracle.submit("oracle:report_readings", pv_readings(generator, 700))
    before = community.ledger.snapshot()
    result = community.scheduler.submit("origin:issue", LISTING, 0)
    assert result["uncertified"] == [[prosumer.idgrid, "storage, and no meter of a generator"]]
    community.ledger.restore(before)
    community.dso.submit("registry:approve_meter", "pv-meter")
    assert community.scheduler.submit("origin:issue", LISTING, 0)["uncertified"] == []
    assert token(community, 1)["minted_wh"] == 700


def signed(home, values) -> str:
    message = signed_message(MeterReading(**values, signature=""))
    return base64.b64encode(home.meter.sign(message)).decode()


def test_stated_energy_has_no_origin(community):
    trade(community)
    delivered(community)
    generator = community.households[0]
    statement = ("settlement:substitute", LISTING, generator.idgrid, 0, 4_500, "a broken display")
    community.dso.submit(*statement)
    community.scheduler.submit("settlement:correct", LISTING)
    result = community.scheduler.submit("origin:issue", LISTING, 0)
    assert result["settlement_revision"] == 1
    assert result["uncertified"] == [[generator.idgrid, NOT_MEASURED]]


def test_energy_that_its_meter_calls_estimated_has_no_origin(community):
    trade(community)
    generator = community.households[0]
    generator.quality = "estimated"
    delivered(community)
    assert generator.client.evaluate("market:get_line", LISTING, generator.idgrid)["sold_wh"] > 0
    result = community.scheduler.submit("origin:issue", LISTING, 0)
    assert result["uncertified"] == [[generator.idgrid, NOT_MEASURED]]


def test_who_may_do_what(community):
    scheduler = community.scheduler
    refuses(community, "UNKNOWN_LISTING", scheduler, "origin:issue", LISTING, 0)
    issued(community)
    generator, prosumer, buyer, _ = community.households
    refuses(community, "PAGE_NOT_PLANNED", scheduler, "origin:issue", LISTING, 1)
    refuses(community, "ROLE_NOT_ALLOWED", generator.client, "origin:issue", LISTING, 0)
    own = f"{LISTING}.{generator.idgrid}"
    give = "origin:transfer", own, buyer.idgrid
    refuses(community, "UNKNOWN_TOKEN", prosumer.client, *give, 1)
    refuses(community, "NOT_POSITIVE", generator.client, *give, 0)
    to_nobody = "origin:transfer", own, "VAL-0017-X", 1
    refuses(community, "UNKNOWN_PARTICIPANT", generator.client, *to_nobody)
    nowhere = "origin:transfer", f"{LISTING}.nobody", buyer.idgrid, 1
    refuses(community, "UNKNOWN_TOKEN", generator.client, *nowhere)
    refuses(community, "UNKNOWN_CERTIFICATE", buyer.client, "origin:trace", f"{own}.99")
    refuses(community, "INVALID_ARGUMENT", buyer.client, "origin:trace", f"{own}~")
    refuses(community, "NOT_YOURS", buyer.client, "origin:held", generator.idgrid)

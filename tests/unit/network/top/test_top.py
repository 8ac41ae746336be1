"""What `gridledger top` makes of what it finds, and what it says when it finds nothing."""

import asyncio
import io
from dataclasses import replace

import pytest
from rich.console import Console

from network.top.command import main
from network.top.gateway import (
    GatewayAddress,
    GatewayUnreachableError,
    GatewayWatch,
    address_beside,
    chosen,
    phase_of,
)
from network.top.picture import DEVICES_SHOWN_MAX, duration, lines, tables
from network.top.snapshot import (
    DeviceState,
    GatewayState,
    ListingState,
    Phase,
    Snapshot,
    ValidatorState,
)
from tests.integration.running_network import create_test_network
from tests.unit.gateway.serving import serve

NOW_MS = 1_767_268_800_000
UP = ValidatorState("dso", "127.0.0.1:7051", True, 12, 0, 0, 75_000_000, 3.2)
SILENT = ValidatorState("utility", "127.0.0.1:7052", True, None, None, None, 70_000_000, 0.0)
STOPPED = ValidatorState("coop", "127.0.0.1:7053", False, None, None, None, 0, 0.0)
LISTING = ListingState(
    "2026-01-01T12", Phase("taking orders", NOW_MS + 750_000), 2, 1_500, 1, 900, True, None, None
)
METER = DeviceState("meter-01", "FON-0001-2", "online", NOW_MS - 3_000, 0)
GATEWAY = GatewayState("http://127.0.0.1:8080", 12, LISTING, (METER,))
SHOWN = Snapshot(NOW_MS, "street", (UP, SILENT, STOPPED), GATEWAY)


def told(shown: Snapshot) -> str:
    return "\n".join(lines(shown))


def drawn(shown: Snapshot, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    with console.capture() as capture:
        console.print(tables(shown))
    return capture.get()


def test_the_lines_of_a_running_network():
    assert (
        told(SHOWN)
        == """\
network street
  validator  state            height  lag  round  memory  CPU  address
  dso        up               12      0    0      75 MB   3 %  127.0.0.1:7051
  utility    does not answer  –       –    –      70 MB   0 %  127.0.0.1:7052
  coop       stopped          –       –    –      –       –    127.0.0.1:7053
market at http://127.0.0.1:8080
  hour 2026-01-01T12, height 12
  taking orders, 12 min 30 s left
  2 offers of 1.50 kWh, 1 bids for 0.90 kWh
  no price yet
meters: 1 online
  device    of          state   heard    refused
  meter-01  FON-0001-2  online  3 s ago  0"""
    )


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_terminal_says_the_same_and_no_line_is_too_long(width):
    picture = drawn(SHOWN, width)
    assert all(len(line) <= width for line in picture.splitlines())
    for word in ("dso", "stopped", "taking orders", "meter-01", "q ends"):
        assert word in picture


def test_a_price_an_overdue_step_and_a_cut_book_are_told():
    cleared = replace(
        LISTING,
        phase=Phase("cleared", NOW_MS - 61_000),
        is_whole_book=False,
        price_utoken_per_kwh=54_000,
        matched_wh=900,
    )
    text = told(replace(SHOWN, gateway=replace(GATEWAY, listing=cleared)))
    assert "cleared; due since 1 min 01 s" in text
    assert "(of the first orders)" in text
    assert "0.054 tokens per kWh, 0.90 kWh matched" in text
    unmatched = replace(cleared, price_utoken_per_kwh=None, matched_wh=0)
    assert "nothing was matched" in told(
        replace(SHOWN, gateway=replace(GATEWAY, listing=unmatched))
    )


def test_silent_meters_come_first_and_the_rest_is_counted():
    many = [replace(METER, device_id=f"meter-{n:02}") for n in range(DEVICES_SHOWN_MAX + 4)]
    silent = replace(METER, device_id="meter-99", state="silent", last_seen_ms=0)
    picture = drawn(replace(SHOWN, gateway=replace(GATEWAY, devices=(*many, silent))))
    assert f"meters: 1 silent, {len(many)} online" in picture
    assert picture.index("meter-99") < picture.index("meter-00")
    assert "never" in picture
    assert "and 5 more" in picture


def test_without_a_token_or_a_gateway_that_is_said():
    assert "GRIDLEDGER_TOKEN" in told(replace(SHOWN, gateway=replace(GATEWAY, devices=None)))
    alone = replace(SHOWN, gateway=None, gateway_problem="no gateway answers at http://x")
    assert told(alone).endswith("no gateway answers at http://x")
    assert "no gateway answers at http://x" in drawn(alone)


def listing(state: str, hour: int = 12, **times: int) -> dict:
    return {
        "listing_id": f"2026-01-01T{hour}",
        "state": state,
        "gate_closure_ms": 100 + hour,
        "delivery_start_ms": 200,
        "delivery_end_ms": 300,
        "settlement_end_ms": 400,
    } | times


def test_the_open_listing_with_the_earliest_gate_is_shown():
    listings = [
        listing("AUTHORIZE_OFFERS", 14),
        listing("AUTHORIZE_OFFERS", 13),
        listing("SETTLED", 12),
    ]
    assert chosen(listings) == listings[1]
    assert chosen(listings[2:]) == listings[2]
    assert chosen([]) is None


def test_phases_have_names_and_ends():
    assert phase_of(listing("AUTHORIZE_OFFERS"), 0) == Phase("taking orders", 112)
    assert phase_of(listing("CLEARED"), 199) == Phase("cleared", 200)
    assert phase_of(listing("CLEARED"), 200) == Phase("delivering", 300)
    assert phase_of(listing("DELIVERING"), 300) == Phase("waiting for settlement", 400)
    assert phase_of(listing("SETTLED"), 500) == Phase("settled", None)


def test_durations_read_as_people_say_them():
    spans = (8_000, 750_000, 11_100_000)
    assert [duration(span) for span in spans] == ["8 s", "12 min 30 s", "3 h 05 min"]


def test_nothing_runs_is_one_line_and_a_status(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["--once"]) == 1
    assert "there is no plan network.toml" in capsys.readouterr().err
    network = create_test_network(tmp_path)
    assert main(["--once", "--plan", str(network.plan_path)]) == 1
    said = capsys.readouterr().err
    assert "no validator of test-network runs, and no gateway answers at http://127.0.0.1" in said
    assert "gridledger network up" in said
    assert network.plan.gateway_host in address_beside(network.plan, network.plan_path).url


def test_something_else_at_the_address_is_no_gateway():
    async def look() -> None:
        async def app(scope, receive, send) -> None:
            if scope["type"] != "http":
                return
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"[]"})

        async with serve(app) as address:
            watch = GatewayWatch(GatewayAddress(address))
            with pytest.raises(GatewayUnreachableError, match="is no gateway"):
                await watch.look(NOW_MS)
            await watch.close()

    asyncio.run(look())

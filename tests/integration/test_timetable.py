"""Two members run the market's timetable on a real network; everybody hears of the opening."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaincode.energy.hours import listing_id_at
from ledger.client.gateway import GatewayClient
from ledger.crypto.signing import SigningIdentity
from network.bench.trial_households import CHAINCODE
from network.commands.timetable import prepare
from network.running.clients import wait_everywhere
from tests.integration.market_scene import CAP, FLOOR, MarketScene, now_ms
from tests.integration.running_network import RunningNetwork, running_network

pytestmark = pytest.mark.slow

RUNNERS = ("cooperative", "dso")
PHASES = ("WindowStarted", "BidsClosed", "MatchResult", "DeliveryStarted", "SettlementState")
WAIT_S = 60
STOP_S = 60


@contextmanager
def timetables(network: RunningNetwork) -> Iterator[None]:
    """The processes, as `gridledger timetable MEMBER` starts them."""
    settings = [prepare(network.plan_path, member, CHAINCODE, 200) for member in RUNNERS]
    command = [sys.executable, "-m", "gateway.timetable.server", "--config"]
    processes = [subprocess.Popen([*command, str(path)]) for path in settings]
    try:
        yield
        assert [process.poll() for process in processes] == [None, None]
    finally:
        for process in processes:
            process.terminate()
            process.wait(STOP_S)


async def heard(client: GatewayClient, identity: SigningIdentity) -> list[tuple[str, int, str]]:
    """(event, block, listing) of everything up to the settlement, as one client hears it."""
    events: list[tuple[str, int, str]] = []
    async for response in client.chaincode_events(identity, CHAINCODE, start_block=1):
        for event in response.events:
            if event.event_name in PHASES:
                listing = json.loads(event.payload)["listing_id"]
                events.append((event.event_name, response.block_number, listing))
                if event.event_name == PHASES[-1]:
                    return events
    raise AssertionError("the stream of events ended")


async def a_listing_of_seconds(scene: MarketScene) -> tuple[str, int]:
    """Opened by the manager: five seconds for orders, one to match, one of delivery."""
    now = now_ms()
    listing_id = listing_id_at(now)
    instants = {
        "opens_at_ms": now - 1,
        "gate_closure_ms": now + 5_000,
        "delivery_start_ms": now + 6_000,
        "delivery_end_ms": now + 7_000,
        "settlement_end_ms": now + 60_000,
    }
    prices = {"floor_utoken_per_kwh": FLOOR, "cap_utoken_per_kwh": CAP, "preset": "custom"}
    parameters = json.dumps(prices | instants)
    opened = await scene.submit(scene.manager, "market:open_listing", listing_id, parameters)
    return listing_id, opened.status.block_number


@pytest.mark.row("E017")
@pytest.mark.row("E020")
def test_a_listing_is_announced_to_everybody_and_lives_its_life_by_itself(tmp_path: Path) -> None:
    async def play(scene: MarketScene) -> None:
        await scene.open()
        roles = {"scheduler": [member.mspid for member in scene.network.plan.members]}
        roles |= {"community_manager": ["CooperativeMSP"], "dso": ["DsoMSP"]}
        await scene.submit(scene.manager, "registry:configure", json.dumps(roles))
        listening = [asyncio.create_task(heard(client, scene.manager)) for client in scene.clients]
        listing_id, block = await a_listing_of_seconds(scene)
        with timetables(scene.network):
            async with asyncio.timeout(WAIT_S):
                everybody = await asyncio.gather(*listening)
        for events in everybody:
            assert events == everybody[0]
            assert [name for name, _, _ in events] == list(PHASES)
            assert {listing for _, _, listing in events} == {listing_id}
        assert everybody[0][0] == ("WindowStarted", block, listing_id)
        await wait_everywhere(scene.network.plan, scene.network.layout, everybody[0][-1][1])
        assert (await scene.ask(scene.manager, "market:get_listing", listing_id))["state"] == (
            "SETTLED"
        )
        await scene.close()

    with running_network(tmp_path) as network, asyncio.Runner() as runner:
        runner.run(play(MarketScene(network, runner)))

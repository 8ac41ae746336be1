"""The official Fabric Gateway SDK for Node, unmodified, as a client of one of our peers."""

import asyncio
import json
from pathlib import Path

import pytest

from network.layout import write_new
from tests.integration.market_scene import Home, MarketScene
from tests.integration.running_network import running_network
from tests.support.node_runtime import node_runtime

pytestmark = pytest.mark.full

CLIENT = Path(__file__).parent / "fabric_sdk"
CLIENT_TIMEOUT_S = 60
FAILED_PRECONDITION, ABORTED, UNAVAILABLE = 9, 10, 14
"""gRPC's status codes, as Fabric's gateway gives them."""


def test_the_sdk_evaluates_submits_and_follows_events(tmp_path: Path) -> None:
    node = node_runtime()
    folder = node.install_packages(CLIENT)
    with running_network(tmp_path) as network, asyncio.Runner() as runner:
        market = MarketScene(network, runner)
        market.run(market.open())
        home, listing = market.run(settled(market))
        arguments = json.dumps(client_arguments(market, home, listing, tmp_path))
        done = node.run("client.mjs", arguments, folder=folder, timeout_s=CLIENT_TIMEOUT_S)
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        placed = market.run(market.ask(home.identity, "market:get_orders", listing, home.idgrid))
        market.run(market.close())

    assert said["evaluated"]["idgrid"] == home.idgrid
    order, status = said["submitted"], said["status"]
    assert order["order_id"] == status["tx_id"]
    assert status["successful"]
    assert status["code"] == 0
    assert placed == [order]
    assert said["event"]["name"] == "OrderPlaced"
    assert said["event"]["payload"]["order_id"] == status["tx_id"]
    assert said["event"]["block_number"] == status["block_number"]
    assert said["blocks"] == [0, 1, 2]
    assert said["filtered"] == {"number": status["block_number"], "tx_ids": [status["tx_id"]]}
    assert_failures(said["failures"])
    refused = said["rejected"]
    assert refused["name"] == "EndorseError"
    assert refused["code"] == ABORTED
    [detail] = refused["details"]
    assert detail["mspId"] == network.plan.members[1].mspid
    assert detail["address"] == network.plan.members[1].address
    assert detail["message"].startswith("chaincode response 404, UNKNOWN_LISTING: ")


def assert_failures(said: dict[str, dict[str, object]]) -> None:
    """The SDK's own error type, gRPC status and text of calls that no contract sees."""
    no_metadata = "No metadata was found for chaincode nothing in channel energy"
    expected = {
        "evaluate_unknown_chaincode": (
            "GatewayError",
            FAILED_PRECONDITION,
            "no peers available to evaluate chaincode nothing in channel energy",
        ),
        "submit_unknown_chaincode": ("EndorseError", FAILED_PRECONDITION, no_metadata),
        "evaluate_unknown_channel": (
            "GatewayError",
            UNAVAILABLE,
            "failed to get config for channel [elsewhere]",
        ),
        "submit_unknown_organization": (
            "EndorseError",
            UNAVAILABLE,
            "failed to find any endorsing peers for org(s): NobodyMSP",
        ),
    }
    for case, (name, code, text) in expected.items():
        failure = said[case]
        assert (failure["name"], failure["code"], failure["details"]) == (name, code, [])
        assert text in str(failure["message"])


async def settled(market: MarketScene) -> tuple[Home, str]:
    return await market.join(), await market.open_listing()


def client_arguments(
    market: MarketScene, home: Home, listing: str, folder: Path
) -> dict[str, object]:
    """Everything the client needs, its certificate and key as files of its own."""
    network = market.network
    certificate, key = folder / "home.crt", folder / "home.key"
    write_new(certificate, home.identity.certificate_pem, private=False)
    write_new(key, home.key_pem, private=True)
    offer = (home.res_id, "1000", "50000")
    return {
        "address": network.plan.members[1].address,
        "tls_ca": str(network.layout.tls_ca_bundle),
        "mspid": home.identity.mspid,
        "certificate": str(certificate),
        "key": str(key),
        "channel": network.plan.channel_id,
        "chaincode": "energy",
        "evaluate": ("registry:get_participant", home.idgrid),
        "submit": ("market:place_offer", listing, *offer),
        "refused": ("market:place_offer", "2031-01-01T00", *offer),
    }

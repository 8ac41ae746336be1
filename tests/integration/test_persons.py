"""Names and e-mail addresses on four validators: in no block, and on two members' peers only."""

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from grpc import aio

from chaincode.energy.idgrid import with_check_character
from chaincode.energy.registry.person_records import INDEX_KEY_BYTES, SALT_BYTES
from ledger.client.blocks import follow_blocks
from ledger.client.refusals import peer_errors
from network.bench.trial_households import CHAINCODE
from network.running.clients import admin_identity, channel_to, wait_everywhere
from tests.integration.market_scene import MarketScene
from tests.integration.running_network import RunningNetwork, running_network

pytestmark = pytest.mark.slow

IDGRID, OTHER = with_check_character("TEST-ADA1"), with_check_character("TEST-EVE1")
NAME, EMAIL = "Augusta Ada King", "countess@lovelace.example"
HOLDERS, STRANGERS = ("cooperative", "dso"), ("municipality", "utility")


class Persons:
    """The manager at work on the register of persons."""

    def __init__(self, scene: MarketScene) -> None:
        self.scene = scene
        self.newest_block = 0

    async def commit(self, function: str, *args: str, **transient: bytes) -> Any:
        """Submit with transient data, and wait until every validator has the block."""
        done = await self.scene.client.submit_transaction(
            self.scene.manager, CHAINCODE, function, *args, transient=transient
        )
        network, self.newest_block = self.scene.network, done.status.block_number
        await wait_everywhere(network.plan, network.layout, self.newest_block)
        return json.loads(done.result) if done.result else None

    async def ask(self, function: str, *args: str, **transient: bytes) -> Any:
        raw = await self.scene.client.evaluate_transaction(
            self.scene.manager, CHAINCODE, function, *args, transient=transient
        )
        return json.loads(raw)

    async def blocks(self) -> bytes:
        """All blocks so far, as a peer delivers them: every envelope and all metadata."""
        network = self.scene.network
        peer = network.plan.peer("utility")
        channel = channel_to(peer.address, network.layout)
        identity = admin_identity(peer, network.layout)
        found = b""
        channel_id = network.plan.channel_id
        async for block in follow_blocks(channel, identity, channel_id, 0, self.newest_block):
            found += b"".join((*block.entries, *block.metadata))
        await channel.close()
        return found


def person() -> dict[str, bytes]:
    salt = secrets.token_bytes(SALT_BYTES)
    return {"name": NAME.encode(), "email": EMAIL.encode(), "salt": salt}


async def one_address_one_participant(persons: Persons) -> None:
    index_key = secrets.token_bytes(INDEX_KEY_BYTES)
    await persons.commit("persons:set_index_key", index_key=index_key)
    recorded = await persons.commit("persons:record", IDGRID, **person())
    digest = recorded["personal_data_hash"]
    await persons.commit("registry:register_participant", IDGRID, "consumer", digest)
    await persons.commit("tokens:deposit", IDGRID, "77", "cash")
    with pytest.raises(aio.AioRpcError) as refused:
        await persons.commit("persons:record", OTHER, **person())
    assert any("EMAIL_TAKEN" in one.message for one in peer_errors(refused.value))

    by_idgrid = await persons.ask("persons:get", IDGRID)
    assert await persons.ask("persons:find", email=EMAIL.upper().encode()) == by_idgrid
    assert (by_idgrid["name"], by_idgrid["email"]) == (NAME, EMAIL)
    assert by_idgrid["account"]["free_utoken"] == 77
    assert by_idgrid["participant"]["personal_data_hash"] == digest
    assert await persons.ask("registry:get_participant", IDGRID) == by_idgrid["participant"]


def files_of(network: RunningNetwork, member: str) -> bytes:
    """Every byte in the ledger folder of a stopped peer."""
    folder: Path = network.layout.member(member).ledger_dir
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.row("E002")
def test_an_address_finds_its_participant_and_is_in_no_block(tmp_path: Path) -> None:
    async def play(scene: MarketScene) -> None:
        await scene.open()
        persons = Persons(scene)
        await one_address_one_participant(persons)
        blocks = await persons.blocks()
        assert IDGRID.encode() in blocks
        for secret in (NAME, EMAIL, "lovelace", "Augusta"):
            assert secret.encode() not in blocks
        await scene.close()

    with running_network(tmp_path) as network, asyncio.Runner() as runner:
        runner.run(play(MarketScene(network, runner)))
    for member in HOLDERS:
        assert NAME.encode() in files_of(network, member)
    for member in STRANGERS:
        for secret in (NAME, EMAIL):
            assert secret.encode() not in files_of(network, member)

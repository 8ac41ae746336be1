"""Private data on four real validators: who has it, who does not, and when it is gone."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from grpc import aio

from ledger.client.blocks import seek_request
from ledger.client.connection import client_channel
from ledger.client.gateway import GatewayClient
from ledger.client.refusals import peer_errors
from ledger.crypto.signing import SigningIdentity
from ledger.rpc.transport import identity_bytes
from ledger.storage.leveldb import LevelDbStore
from ledger.storage.opening import DATABASE_FOLDER
from ledger.wire import protos_pb2
from network.certificates.credentials import member_authority
from network.chaincode.planned import commit_definitions
from network.running.clients import connect, wait_everywhere
from network.running.lifecycle import down, up
from tests.integration.running_network import RunningNetwork, running_network
from tests.support.conditions import until

pytestmark = pytest.mark.slow

MEMBERS = "OR('CooperativeMSP.member', 'DsoMSP.member')"
PEERS = "OR('CooperativeMSP.peer', 'DsoMSP.peer')"
COMMON = {
    "policy": MEMBERS,
    "maxPeerCount": 1,
    "memberOnlyRead": True,
    "endorsementPolicy": {"signaturePolicy": PEERS},
}
COLLECTIONS = [
    {"name": "prices", **COMMON},
    {"name": "short", "blockToLive": 2, **COMMON},
    {"name": "open", **COMMON, "memberOnlyRead": False},
]
PLAN = f"""
[[chaincodes]]
name = "vault"
version = "1.0"
module = "tests.integration.private_contract"
collections = '''{json.dumps(COLLECTIONS)}'''
"""
SECRET = b"sixty-one thousand micro-tokens"
PURGED = b"a-price-nobody-remembers"


class Scene:
    """Clients of every member, each at its own member's peer."""

    def __init__(self, network: RunningNetwork) -> None:
        self.network = network
        self.clients: dict[str, GatewayClient] = {}
        self.people: dict[str, SigningIdentity] = {}
        for peer in network.plan.members:
            self.clients[peer.id] = connect(network.plan, peer, network.layout)
            authority = member_authority(network.plan, peer.id, network.layout)
            pair = authority.issue_client("trader", now=datetime.now(tz=UTC))
            self.people[peer.id] = authority.signing_identity(pair)

    async def put(
        self, collection: str, key: str, value: bytes, member: str = "cooperative"
    ) -> int:
        """The block that has it everywhere but on validators that are down."""
        client, person = self.clients[member], self.people[member]
        proposal = client.propose(
            person.serialized, "vault", "put", [collection, key], {"value": value}
        )
        status = (await client.order(person, proposal)).status
        assert status.is_valid, status
        return status.block_number

    async def get(self, member: str, collection: str, key: str, person: str = "") -> bytes:
        identity = self.people[person or member]
        return await self.clients[member].evaluate_transaction(
            identity, "vault", "get", collection, key
        )

    async def refusal(self, member: str, collection: str, key: str, person: str = "") -> str:
        with pytest.raises(aio.AioRpcError) as refused:
            await self.get(member, collection, key, person)
        return f"{refused.value.details()} {peer_errors(refused.value)}"

    async def everywhere(self, number: int) -> None:
        await wait_everywhere(self.network.plan, self.network.layout, number)

    async def delivered(self, member: str, number: int, person: str) -> set[str]:
        """Collections of the private data that a client gets with a block."""
        peer = self.network.plan.peer(member)
        ca_pem = self.network.layout.tls_ca_bundle.read_bytes()
        channel = client_channel(peer.address, ca_pem)
        method = "/protos.Deliver/DeliverWithPrivateData"
        call = channel.stream_stream(method, identity_bytes, identity_bytes)()
        channel_id = self.network.plan.channel_id
        await call.write(seek_request(self.people[person], channel_id, number, number))
        response = protos_pb2.DeliverResponse.FromString(await call.read())
        await channel.close()
        found = response.block_and_private_data
        assert found.block.header.number == number
        return {
            one.collection_name
            for sets in found.private_data_map.values()
            for namespace in sets.ns_pvt_rwset
            for one in namespace.collection_pvt_rwset
        }


@asynccontextmanager
async def scene_of(network: RunningNetwork) -> AsyncIterator[Scene]:
    await commit_definitions(network.plan, network.layout)
    scene = Scene(network)
    try:
        yield scene
    finally:
        for client in scene.clients.values():
            await client.close()


def stored(network: RunningNetwork, member: str) -> bytes:
    """Everything a stopped peer's database holds."""
    kv = LevelDbStore(network.layout.member(member).ledger_dir / DATABASE_FOLDER)
    everything = b"".join(key + value for key, value in kv.iterate(b"", b"\xff" * 64))
    kv.close()
    return everything


async def members_read_and_others_do_not(scene: Scene) -> None:
    number = await scene.put("prices", "a", SECRET)
    await scene.put("open", "a", SECRET)
    await scene.everywhere(number + 1)
    for member in ("cooperative", "dso"):
        assert await scene.get(member, "prices", "a") == SECRET
    refused = await scene.refusal("cooperative", "prices", "a", person="utility")
    assert "does not have read access permission on privatedata" in refused
    refused = await scene.refusal("utility", "open", "a")
    assert "private data matching public hash version is not available" in refused
    asked = scene.clients["utility"].evaluate_transaction
    found = await asked(scene.people["utility"], "vault", "get_hash", "prices", "a")
    assert found.decode() == hashlib.sha256(SECRET).hexdigest()
    keys = await scene.clients["dso"].evaluate_transaction(
        scene.people["dso"], "vault", "keys", "prices"
    )
    assert json.loads(keys) == ["a"]
    assert await scene.delivered("cooperative", number, "dso") == {"prices"}
    assert await scene.delivered("cooperative", number, "utility") == set()


async def a_member_that_was_down_gets_the_value(scene: Scene) -> None:
    plan = scene.network.plan
    down(plan, ["dso"])
    await scene.put("prices", "late", SECRET)
    up(plan)

    async def has_it() -> bool:
        try:
            return await scene.get("dso", "prices", "late") == SECRET
        except aio.AioRpcError:
            return False

    await until(has_it)


async def values_live_as_long_as_the_collection_says(scene: Scene) -> None:
    await scene.put("short", "k", SECRET)
    await scene.put("prices", "other", b"1")
    number = await scene.put("prices", "other", b"2")
    await scene.everywhere(number)
    for member in ("cooperative", "dso"):
        assert await scene.get(member, "short", "k") == SECRET
    number = await scene.put("prices", "other", b"3")
    await scene.everywhere(number)
    for member in ("cooperative", "dso"):
        assert await scene.get(member, "short", "k") == b""


async def a_purge_leaves_nothing(scene: Scene) -> None:
    await scene.put("prices", "gone", PURGED)
    await scene.put("prices", "gone", PURGED + b" again")
    client, person = scene.clients["cooperative"], scene.people["cooperative"]
    done = await client.submit_transaction(person, "vault", "purge", "prices", "gone")
    await scene.everywhere(done.status.block_number)
    for member in ("cooperative", "dso"):
        assert await scene.get(member, "prices", "gone") == b""


@pytest.mark.row("E115")
def test_private_data_from_endorsement_to_purge(tmp_path: Path) -> None:
    async def play(network: RunningNetwork) -> None:
        async with scene_of(network) as scene:
            await members_read_and_others_do_not(scene)
            await a_member_that_was_down_gets_the_value(scene)
            await values_live_as_long_as_the_collection_says(scene)
            await a_purge_leaves_nothing(scene)

    with running_network(tmp_path, more_plan=PLAN) as network:
        asyncio.run(play(network))
    for member in ("cooperative", "dso"):
        assert SECRET in stored(network, member)
        assert PURGED not in stored(network, member)
    for stranger in ("municipality", "utility"):
        assert SECRET not in stored(network, stranger)
        assert PURGED not in stored(network, stranger)

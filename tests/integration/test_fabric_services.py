"""Fabric's other peer and orderer services, called as a plain gRPC client calls them."""

import asyncio
import functools
import secrets
from collections.abc import Iterator
from contextlib import asynccontextmanager
from time import time_ns
from typing import TypeVar

import grpc
import pytest
from cryptography.x509 import load_pem_x509_certificate
from google.protobuf.message import Message
from grpc import aio

from ledger.client.blocks import seek_request
from ledger.client.connection import client_channel
from ledger.crypto.hashing import endorsement_message
from ledger.crypto.signing import SigningIdentity, verify_signature
from ledger.model.block import SLOT_TRANSACTIONS_FILTER
from ledger.model.codec import encode_envelope, encode_request_payload
from ledger.model.codec_header import NONCE_BYTES
from ledger.model.codec_proposal import encode_signed_proposal
from ledger.model.codes import HeaderType, ValidationCode
from ledger.model.rwset import KeyWrite, NamespaceReadWriteSet, ReadWriteSet
from ledger.rpc.transport import identity_bytes
from ledger.wire import common_pb2, msp_pb2, orderer_pb2, protos_pb2
from tests.integration.market_scene import Home
from tests.integration.refusals import (
    Scene,
    endorsed_offer,
    offer_arguments,
    orders,
    refused_call,
    running_scene,
)
from tests.integration.validators import agreed_head
from tests.support.ledger_world import LedgerWorld
from tests.unit.validation.test_codes import with_channel_header

pytestmark = pytest.mark.slow

M = TypeVar("M", bound=Message)
PEERS = ("/protos.Deliver/Deliver", protos_pb2.DeliverResponse)
FILTERED = ("/protos.Deliver/DeliverFiltered", protos_pb2.DeliverResponse)
ORDERER = ("/orderer.AtomicBroadcast/Deliver", orderer_pb2.DeliverResponse)
CALL_TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running_scene(tmp_path_factory.mktemp("fabric-services")) as running:
        yield running


@asynccontextmanager
async def peer_channel(scene: Scene, member_index: int = 0):
    network = scene.market.network
    bundle = network.layout.tls_ca_bundle.read_bytes()
    address = network.plan.members[member_index].address
    async with asyncio.timeout(CALL_TIMEOUT_S), client_channel(address, bundle) as channel:
        yield channel


async def answers(
    channel: aio.Channel, method: str, kind: type[M], requests: list[bytes]
) -> list[M]:
    """Everything a stream answers to these requests."""
    call = channel.stream_stream(method, identity_bytes, identity_bytes)(iter(requests))
    return [kind.FromString(raw) async for raw in call]


# -- Endorser -------------------------------------------------------------------------------------


def test_process_proposal_gives_one_peers_own_signed_result(scene: Scene) -> None:
    market, home = scene.market, scene.home
    proposal = market.propose(home.identity, "market:place_offer", *offer_arguments(scene))
    signed = encode_signed_proposal(proposal.raw, home.identity.sign(proposal.raw))

    async def ask(member_index: int) -> protos_pb2.ProposalResponse:
        async with peer_channel(scene, member_index) as channel:
            call = channel.unary_unary(
                "/protos.Endorser/ProcessProposal", identity_bytes, identity_bytes
            )
            return protos_pb2.ProposalResponse.FromString(await call(signed))

    async def act() -> None:
        async with market.unchanged():
            results = [await ask(index) for index in range(4)]
        members = market.network.plan.members
        for member, result in zip(members, results, strict=True):
            assert result.response.status == 200
            endorser = result.endorsement.endorser
            identity = msp_pb2.SerializedIdentity.FromString(endorser)
            assert identity.mspid == member.mspid
            verify_signature(
                load_pem_x509_certificate(identity.id_bytes).public_key(),
                endorsement_message(result.payload, endorser),
                result.endorsement.signature,
            )
        assert len({result.payload for result in results}) == 1

    market.run(act())


def test_process_proposal_answers_a_refusal_without_an_endorsement(scene: Scene) -> None:
    market, home = scene.market, scene.home
    no_listing = ("2031-01-01T00", home.res_id, "1000", "50000")
    proposal = market.propose(home.identity, "market:place_offer", *no_listing)
    signed = encode_signed_proposal(proposal.raw, home.identity.sign(proposal.raw))

    async def act() -> None:
        async with peer_channel(scene) as channel:
            call = channel.unary_unary(
                "/protos.Endorser/ProcessProposal", identity_bytes, identity_bytes
            )
            result = protos_pb2.ProposalResponse.FromString(await call(signed))
        assert result.response.status == 404
        assert result.response.message.startswith("UNKNOWN_LISTING: ")
        assert not result.endorsement.signature

    market.run(act())


def test_process_proposal_of_a_stranger_fails_as_a_call(scene: Scene) -> None:
    stranger = scene.strangers["UNKNOWN_MEMBER"]
    proposal = scene.market.propose(stranger, "market:place_offer", *offer_arguments(scene))
    signed = encode_signed_proposal(proposal.raw, stranger.sign(proposal.raw))

    async def act() -> None:
        error = await refused_call(scene, "/protos.Endorser/ProcessProposal", signed)
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED
        assert "UNKNOWN_MEMBER" in error.details()

    scene.market.run(act())


# -- Broadcast ------------------------------------------------------------------------------------


async def broadcast(scene: Scene, *envelopes: bytes) -> list[orderer_pb2.BroadcastResponse]:
    async with peer_channel(scene, 3) as channel:
        return await answers(
            channel,
            "/orderer.AtomicBroadcast/Broadcast",
            orderer_pb2.BroadcastResponse,
            list(envelopes),
        )


def test_broadcast_orders_envelopes_and_says_what_is_wrong_with_others(scene: Scene) -> None:
    market, home = scene.market, scene.home

    async def act() -> None:
        proposal, payload = await endorsed_offer(scene, home)
        good = encode_envelope(payload, home.identity.sign(payload))
        forged = encode_envelope(payload, scene.neighbour.identity.sign(payload))
        before = await agreed_head(market.network)
        # A refusal ends the stream, as an orderer of Fabric ends it.
        [broken] = await broadcast(scene, b"\xff\xff", good)
        [unsigned] = await broadcast(scene, forged)
        [accepted] = await broadcast(scene, good)
        assert broken.status == common_pb2.BAD_REQUEST
        assert "MALFORMED" in broken.info
        assert unsigned.status == common_pb2.FORBIDDEN
        assert "BAD_SIGNATURE" in unsigned.info
        assert accepted.status == common_pb2.SUCCESS
        status = await market.client.commit_status(proposal.tx_id, home.identity)
        assert status.is_valid
        assert status.block_number == before.height
        # The peer that is asked next may commit a moment later than the one that told the status.
        assert (await agreed_head(market.network)).height == before.height + 1
        [again] = await broadcast(scene, good)
        # Both exactly so: a gateway of Fabric's counts this as success.
        assert again.status == common_pb2.SERVICE_UNAVAILABLE
        assert again.info == "failed to submit request: request already exists"
        assert (await agreed_head(market.network)).height == before.height + 1

    market.run(act())


@functools.cache
def drawer_of(identity: SigningIdentity) -> LedgerWorld:
    """Draws up transactions of one client, each with a nonce of its own."""
    drawer = LedgerWorld()
    drawer.client = identity
    return drawer


def signed_by_its_client_alone(
    scene: Scene, results: ReadWriteSet | None = None, **draft
) -> bytes:
    """A transaction that no peer endorsed, with a result its client made up."""
    return drawer_of(scene.home.identity).transaction(
        results or ReadWriteSet(),
        **{
            "channel_id": scene.market.channel_id,
            "chaincode": "energy",
            "endorsed_chaincode": "energy",
            "endorsers": (scene.home.identity,),
            **draft,
        },
    )


def of_another_proposal(scene: Scene) -> bytes:
    return with_channel_header(
        drawer_of(scene.home.identity), signed_by_its_client_alone(scene), version=5
    )


def writing(*namespaces: str, key: str = "key") -> ReadWriteSet:
    return ReadWriteSet(
        tuple(NamespaceReadWriteSet(one, writes=(KeyWrite(key, b"value"),)) for one in namespaces)
    )


RECORDED = {
    ValidationCode.INVALID_ENDORSER_TRANSACTION: of_another_proposal,
    ValidationCode.ENDORSEMENT_POLICY_FAILURE: signed_by_its_client_alone,
    ValidationCode.ILLEGAL_WRITESET: lambda scene: signed_by_its_client_alone(
        scene, writing("energy", "energy")
    ),
    ValidationCode.INVALID_WRITESET: lambda scene: signed_by_its_client_alone(
        scene, writing("energy", key="")
    ),
    ValidationCode.INVALID_CHAINCODE: lambda scene: signed_by_its_client_alone(
        scene, endorsed_chaincode="another"
    ),
    ValidationCode.INVALID_OTHER_REASON: lambda scene: signed_by_its_client_alone(
        scene, event_of="another"
    ),
}
"""What a client alone can make validators record; conflicts of reads: test_exactly_once.py."""


@pytest.mark.parametrize("code", RECORDED, ids=lambda code: code.name)
def test_every_validator_records_the_code_of_a_bad_transaction(scene: Scene, code) -> None:
    market = scene.market

    async def act() -> None:
        before = await agreed_head(market.network)
        [answer] = await broadcast(scene, RECORDED[code](scene))
        assert answer.status == common_pb2.SUCCESS
        head = await agreed_head(market.network, at_least=before.height + 1)
        assert head.height == before.height + 1
        for index in range(4):
            async with peer_channel(scene, index) as channel:
                request = seek(scene, before.height, before.height)
                block, _ = await answers(channel, *PEERS, [request])
            codes = block.block.metadata.metadata[SLOT_TRANSACTIONS_FILTER]
            assert codes == bytes((code,))

    market.run(act())


# What admission refuses never stands in a block, so no client can make it be recorded.
NOT_ORDERED = {
    "an empty payload": lambda scene: b"",
    "a payload that does not parse": lambda scene: encode_envelope(b"\xff\xff", b"signature"),
    "another channel": lambda scene: signed_by_its_client_alone(scene, channel_id="elsewhere"),
}


@pytest.mark.parametrize("what", NOT_ORDERED)
def test_what_no_block_should_carry_is_not_ordered(scene: Scene, what: str) -> None:
    async def act() -> None:
        async with scene.market.unchanged():
            [answer] = await broadcast(scene, NOT_ORDERED[what](scene))
            assert answer.status in (common_pb2.BAD_REQUEST, common_pb2.NOT_FOUND)

    scene.market.run(act())


# -- Deliver --------------------------------------------------------------------------------------


def seek(scene: Scene, first: int, last: int, identity: SigningIdentity | None = None) -> bytes:
    return seek_request(identity or scene.home.identity, scene.market.channel_id, first, last)


def test_filtered_blocks_show_ids_and_codes_but_no_content(scene: Scene) -> None:
    market, home = scene.market, scene.home

    async def act() -> None:
        proposal, payload = await endorsed_offer(scene, home)
        await market.client.submit(proposal.tx_id, payload, home.identity.sign(payload))
        status = await market.client.commit_status(proposal.tx_id, home.identity)
        number = status.block_number
        async with peer_channel(scene) as channel:
            block, end = await answers(channel, *FILTERED, [seek(scene, number, number)])
        assert end.status == common_pb2.SUCCESS
        filtered = block.filtered_block
        assert (filtered.channel_id, filtered.number) == (market.channel_id, number)
        [transaction] = filtered.filtered_transactions
        assert transaction.txid == proposal.tx_id
        assert transaction.tx_validation_code == protos_pb2.VALID
        [action] = transaction.transaction_actions.chaincode_actions
        assert action.chaincode_event.event_name == "OrderPlaced"
        assert action.chaincode_event.payload == b""
        [order] = [o for o in await _orders(scene, home) if o["order_id"] == proposal.tx_id]
        assert str(order["listing_id"]).encode() not in block.SerializeToString()

    market.run(act())


async def _orders(scene: Scene, home: Home) -> list[dict[str, object]]:
    listings = await scene.market.ask(
        home.identity, "market:list_listings", "2030-01-01T00", "2031-01-01T00"
    )
    found = []
    for listing in listings:
        found += await orders(scene, home, listing["listing_id"])
    return found


@pytest.mark.parametrize(
    ("method", "kind"), [PEERS, FILTERED, ORDERER], ids=["blocks", "filtered", "orderer"]
)
def test_block_streams_refuse_with_a_status(scene: Scene, method: str, kind) -> None:
    market, home = scene.market, scene.home
    elsewhere = seek_request(home.identity, "elsewhere", 0, 0)
    no_request = encode_request_payload(
        header_type=HeaderType.DELIVER_SEEK_INFO,
        channel_id=market.channel_id,
        creator=home.identity.serialized,
        nonce=secrets.token_bytes(NONCE_BYTES),
        timestamp_ns=time_ns(),
        data=b"\xff\xff",
    )

    async def status(request: bytes) -> int:
        async with peer_channel(scene) as channel:
            [answer] = await answers(channel, method, kind, [request])
        return answer.status

    async def act() -> None:
        async with market.unchanged():
            assert await status(b"\xff\xff") == common_pb2.BAD_REQUEST
            signed = encode_envelope(no_request, home.identity.sign(no_request))
            assert await status(signed) == common_pb2.BAD_REQUEST
            forged = encode_envelope(no_request, scene.neighbour.identity.sign(no_request))
            assert await status(forged) == common_pb2.FORBIDDEN
            assert await status(elsewhere) == common_pb2.NOT_FOUND
            assert await status(seek(scene, 5, 4)) == common_pb2.BAD_REQUEST
            for stranger in scene.strangers.values():
                assert await status(seek(scene, 0, 0, stranger)) == common_pb2.FORBIDDEN

    market.run(act())


@pytest.mark.parametrize(("method", "kind"), [PEERS, ORDERER], ids=["peer", "orderer"])
def test_whole_blocks_come_from_both_deliver_services(scene: Scene, method: str, kind) -> None:
    async def act() -> None:
        async with peer_channel(scene, 2) as channel:
            *blocks, end = await answers(channel, method, kind, [seek(scene, 0, 3)])
        assert end.status == common_pb2.SUCCESS
        assert [answer.block.header.number for answer in blocks] == [0, 1, 2, 3]
        assert all(answer.block.data.data for answer in blocks)

    scene.market.run(act())

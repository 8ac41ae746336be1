"""Who may open a connection at all: TLS between validators, TLS towards clients."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import grpc
import pytest
from grpc import aio

from ledger.client.connection import client_channel
from ledger.crypto.certificates import parse_certificate
from ledger.crypto.pinned_tls import pinned_name, trust_anchor
from ledger.model.codec_block import decode_block
from ledger.rpc.transport import EXCHANGE_METHOD, TlsMaterial, identity_bytes, validator_channel
from ledger.wire.validator_pb2 import BlockRequest, Frame, Item, TransactionBatch
from network.certificates.authority import KeyPair, MemberAuthority
from network.certificates.credentials import member_authority, read_pair
from network.plan import MemberPlan
from tests.integration.running_network import RunningNetwork, running_network
from tests.integration.validators import POLL_S

pytestmark = pytest.mark.slow

CALL_TIMEOUT_S = 60.0
NONE_THAT_COUNTS = "the certificate shown is none that counts here"
NO_TLS = "the other side does not speak TLS"
NO_CERTIFICATE = "no certificate was shown"
DELIVER_METHOD = "/protos.Deliver/Deliver"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNetwork]:
    with running_network(tmp_path_factory.mktemp("transport")) as running:
        yield running


@pytest.fixture(scope="module")
def elsewhere() -> MemberAuthority:
    """An authority that nobody on the channel knows."""
    return MemberAuthority.create("StrangerMSP", "Somebody else", now=datetime.now(tz=UTC))


def tls_pair(authority: MemberAuthority) -> KeyPair:
    return authority.issue_tls("stranger", ("127.0.0.1",), now=datetime.now(tz=UTC))


def towards(network: RunningNetwork, member: MemberPlan, pair: KeyPair) -> TlsMaterial:
    """What a node with this pair uses towards a member's validator port: its key is known."""
    pem = network.layout.member(member.id).credential("peer-tls").certificate.read_bytes()
    server = parse_certificate(pem)
    return TlsMaterial(
        pair.certificate_pem,
        pair.key_pem,
        trust_anchor(server.public_key),
        server_name=pinned_name(server.public_key_der),
    )


async def refusal(channel: aio.Channel, method: str) -> aio.AioRpcError:
    """How opening a stream fails."""
    async with asyncio.timeout(CALL_TIMEOUT_S), channel:
        call = channel.stream_stream(method, identity_bytes, identity_bytes)()
        with pytest.raises(aio.AioRpcError) as caught:
            await call.read()
    return caught.value


def handshake_failures(network: RunningNetwork, cause: str) -> int:
    """Log lines of the first member's peer about handshakes that failed for this cause."""
    log = network.layout.member(network.plan.members[0].id).log_file.read_text()
    return log.count(f"a TLS handshake failed: {cause}")


async def handshake_failure(network: RunningNetwork, cause: str, *, beyond: int) -> None:
    """Wait for one more such line."""
    async with asyncio.timeout(CALL_TIMEOUT_S):
        while True:
            if handshake_failures(network, cause) > beyond:
                return
            await asyncio.sleep(POLL_S)


@pytest.mark.row("E008")
def test_a_certificate_of_another_authority_is_refused_in_the_handshake(
    network: RunningNetwork, elsewhere: MemberAuthority
) -> None:
    first = network.plan.members[0]

    async def act() -> None:
        before = handshake_failures(network, NONE_THAT_COUNTS)
        stranger = validator_channel(
            first.validator_address, towards(network, first, tls_pair(elsewhere))
        )
        error = await refusal(stranger, EXCHANGE_METHOD)
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        await handshake_failure(network, NONE_THAT_COUNTS, beyond=before)

        # Nobody connects to a server either that the members' authorities did not certify, or
        # to a validator with another key than the channel records.
        suspicious = client_channel(first.address, elsewhere.tls.certificate_pem)
        error = await refusal(suspicious, DELIVER_METHOD)
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert "CERTIFICATE_VERIFY_FAILED" in error.details()
        second, third = network.plan.members[1:3]
        pair = read_pair(network.layout.member(third.id).credential("peer-tls"))
        impostor = validator_channel(first.validator_address, towards(network, second, pair))
        error = await refusal(impostor, EXCHANGE_METHOD)
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert "CERTIFICATE_VERIFY_FAILED" in error.details()

    asyncio.run(act())


@pytest.mark.row("E008")
def test_plain_text_and_missing_certificates_are_refused(network: RunningNetwork) -> None:
    first = network.plan.members[0]
    server_pem = network.layout.member(first.id).credential("peer-tls").certificate.read_bytes()
    server = parse_certificate(server_pem)

    async def act() -> None:
        for address, method in (
            (first.address, DELIVER_METHOD),
            (first.validator_address, EXCHANGE_METHOD),
        ):
            before = handshake_failures(network, NO_TLS)
            error = await refusal(aio.insecure_channel(address), method)
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            await handshake_failure(network, NO_TLS, beyond=before)

        before = handshake_failures(network, NO_CERTIFICATE)
        without = aio.secure_channel(
            first.validator_address,
            grpc.ssl_channel_credentials(trust_anchor(server.public_key)),
            options=[("grpc.ssl_target_name_override", pinned_name(server.public_key_der))],
        )
        error = await refusal(without, EXCHANGE_METHOD)
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        await handshake_failure(network, NO_CERTIFICATE, beyond=before)

    asyncio.run(act())


def test_a_members_node_that_is_no_validator_may_only_ask_for_blocks(
    network: RunningNetwork,
) -> None:
    """The TLS authority is a member's, but the channel records other keys."""
    first = network.plan.members[0]
    authority = member_authority(network.plan, "utility", network.layout)
    tls = towards(network, first, tls_pair(authority))

    async def act() -> None:
        async with (
            asyncio.timeout(CALL_TIMEOUT_S),
            validator_channel(first.validator_address, tls) as channel,
        ):
            call = channel.stream_stream(EXCHANGE_METHOD, identity_bytes, identity_bytes)()
            forbidden = Frame(
                items=[
                    Item(transactions=TransactionBatch(batch_id=1, envelopes=[b"nonsense"])),
                    Item(consensus_message=b"nonsense"),
                ]
            )
            await call.write(forbidden.SerializeToString())
            asking = Frame(items=[Item(block_request=BlockRequest(from_number=0, to_number=0))])
            await call.write(asking.SerializeToString())
            answers: list[Item] = []
            while not any(answer.HasField("block_response") for answer in answers):
                answers += Frame.FromString(await call.read()).items
            kinds = {answer.WhichOneof("kind") for answer in answers}
            assert kinds == {"status", "block_response"}
            [genesis] = answers[-1].block_response.blocks
            assert decode_block(genesis).number == 0

    asyncio.run(act())

"""Who may open a connection at all: TLS between validators, TLS towards clients."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import grpc
import pytest
from grpc import aio

from ledger.rpc.transport import (
    EXCHANGE_METHOD,
    TlsMaterial,
    client_channel,
    identity_bytes,
    validator_channel,
)
from network.authority import KeyPair, MemberAuthority
from network.creation import member_authority
from tests.integration.running_network import RunningNetwork, running_network
from tests.integration.validators import POLL_S

pytestmark = pytest.mark.slow

CALL_TIMEOUT_S = 10.0
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


def material(pair: KeyPair, ca_bundle_pem: bytes) -> TlsMaterial:
    return TlsMaterial(pair.certificate_pem, pair.key_pem, ca_bundle_pem)


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
    return sum("Handshake failed" in line and cause in line for line in log.splitlines())


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
    bundle = network.layout.tls_ca_bundle.read_bytes()

    async def act() -> None:
        before = handshake_failures(network, "CERTIFICATE_VERIFY_FAILED")
        stranger = validator_channel(
            first.validator_address, material(tls_pair(elsewhere), bundle)
        )
        error = await refusal(stranger, EXCHANGE_METHOD)
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        await handshake_failure(network, "CERTIFICATE_VERIFY_FAILED", beyond=before)

        # Nobody connects to a server that the members' authorities did not certify either.
        for address in (first.address, first.validator_address):
            suspicious = client_channel(address, elsewhere.tls.certificate_pem)
            error = await refusal(suspicious, DELIVER_METHOD)
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            assert "CERTIFICATE_VERIFY_FAILED" in error.details()

    asyncio.run(act())


@pytest.mark.row("E008")
def test_plain_text_and_missing_certificates_are_refused(network: RunningNetwork) -> None:
    first = network.plan.members[0]
    bundle = network.layout.tls_ca_bundle.read_bytes()

    async def act() -> None:
        for address, method in (
            (first.address, DELIVER_METHOD),
            (first.validator_address, EXCHANGE_METHOD),
        ):
            before = handshake_failures(network, "WRONG_VERSION_NUMBER")
            error = await refusal(aio.insecure_channel(address), method)
            assert error.code() == grpc.StatusCode.UNAVAILABLE
            await handshake_failure(network, "WRONG_VERSION_NUMBER", beyond=before)

        before = handshake_failures(network, "PEER_DID_NOT_RETURN_A_CERTIFICATE")
        error = await refusal(client_channel(first.validator_address, bundle), EXCHANGE_METHOD)
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        await handshake_failure(network, "PEER_DID_NOT_RETURN_A_CERTIFICATE", beyond=before)

    asyncio.run(act())


def test_a_members_certificate_that_is_no_validators_opens_no_stream(
    network: RunningNetwork,
) -> None:
    """The TLS authority is right, but the channel records other certificates."""
    first = network.plan.members[0]
    bundle = network.layout.tls_ca_bundle.read_bytes()
    authority = member_authority(network.plan, "utility", network.layout)

    async def act() -> None:
        channel = validator_channel(first.validator_address, material(tls_pair(authority), bundle))
        error = await refusal(channel, EXCHANGE_METHOD)
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED
        assert "UNKNOWN_MEMBER" in error.details()

    asyncio.run(act())

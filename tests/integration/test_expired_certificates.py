"""Certificates that expired long ago: consensus goes on, and renewing needs no restart."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ledger.crypto.certificates import load_x509
from network.bench.trial_households import CHAINCODE
from network.chaincode.lifecycle_client import ChaincodeRefused
from network.chaincode.planned import commit_definitions
from network.founding.creation import ADMIN, PEER, PEER_TLS
from network.running.lifecycle import down, up
from tests.integration.membership import cert
from tests.integration.running_network import RunningNetwork, create_test_network
from tests.integration.validators import AGREEMENT_TIMEOUT_S, POLL_S, agreed_head

pytestmark = pytest.mark.slow

FOUNDED = datetime.now(tz=UTC) - timedelta(days=1_500)
"""Authorities live ten years; what they issued, 825 days."""
TAKEN_UP = "certificates were read again"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNetwork]:
    made = create_test_network(tmp_path_factory.mktemp("expired"), founded=FOUNDED)
    try:
        up(made.plan)
        yield made
    finally:
        down(made.plan)


def log_of(network: RunningNetwork, member_id: str) -> str:
    return network.layout.member(member_id).log_file.read_text(encoding="utf-8")


async def logged(network: RunningNetwork, member_id: str, text: str, *, times: int) -> None:
    """Wait until a peer's log has a text so many times."""
    async with asyncio.timeout(AGREEMENT_TIMEOUT_S):
        while True:
            if log_of(network, member_id).count(text) >= times:
                return
            await asyncio.sleep(POLL_S)


def expires(network: RunningNetwork, member_id: str, name: str) -> datetime:
    pem = network.layout.member(member_id).credential(name).certificate.read_bytes()
    return load_x509(pem).not_valid_after_utc


def test_validators_whose_certificates_all_expired_connect_and_say_so(network, capsys):
    for member in network.plan.members:
        assert expires(network, member.id, PEER_TLS) < datetime.now(tz=UTC)

    async def connected() -> None:
        for member in network.plan.members:
            await logged(network, member.id, "connected to consenter", times=3)
            assert "this peer's TLS certificate has expired" in log_of(network, member.id)

    asyncio.run(connected())
    assert cert(network, "status") == 1
    assert "EXPIRED" in capsys.readouterr().out


def test_renewed_certificates_are_taken_up_by_the_running_peers(network, capsys):
    for member in network.plan.members:
        assert cert(network, "rotate", member.id, "--only", PEER_TLS) == 0
        assert cert(network, "rotate", member.id, "--only", ADMIN) == 0
    assert "the key is the same" in capsys.readouterr().out

    async def serves_clients() -> None:
        head = await agreed_head(network)
        assert head.height == 1

    asyncio.run(serves_clients())


def test_blocks_are_decided_while_every_validators_identity_has_expired(network):
    """Their endorsements do not count, but they order, seal and agree."""

    async def scene() -> None:
        with pytest.raises(ChaincodeRefused, match="recorded as ENDORSEMENT_POLICY_FAILURE"):
            await commit_definitions(network.plan, network.layout)
        await agreed_head(network, at_least=2)

    asyncio.run(scene())


def test_with_renewed_identities_transactions_are_valid_again(network, capsys):
    for member in network.plan.members:
        assert cert(network, "rotate", member.id, "--only", PEER) == 0

    async def scene() -> None:
        for member in network.plan.members:
            # Once for the TLS certificate, once for the identity.
            await logged(network, member.id, TAKEN_UP, times=2)
        assert await commit_definitions(network.plan, network.layout) == [CHAINCODE]
        await agreed_head(network, at_least=3)

    asyncio.run(scene())
    assert cert(network, "status") == 0, "what the channel records goes by keys"
    assert "only its key counts" in capsys.readouterr().out

"""What the endorser makes of an execution: answers of the peer's own chaincodes, and refusals."""

import pytest

from ledger.crypto.hashing import block_hash
from ledger.crypto.signing import verify_signature
from ledger.endorsement.dispatch import ChaincodeDispatch
from ledger.endorsement.endorser import Endorser, EndorserPorts
from ledger.endorsement.limits import SimulationLimits
from ledger.endorsement.proposal_checks import ProposalRules
from ledger.endorsement.query_chaincode import QueryChaincode
from ledger.endorsement.system_chaincodes import QUERY_CHAINCODE
from ledger.model.codec import decode_envelope
from ledger.model.codec_block import decode_block
from ledger.model.config import ABSOLUTE_BYTES_MAX
from ledger.rpc.transport import CLIENT_MESSAGE_BYTES_MAX
from tests.support.identities import CHANNEL_ID
from tests.support.ledger_world import START_NS, market, put
from tests.support.lifecycle_world import LifecycleWorld

pytestmark = pytest.mark.anyio

LIMITS = SimulationLimits()
VALUE_BYTES = 1_000_000
"""A transaction with it is just below 1 MiB."""


@pytest.fixture
def world(tmp_path):
    return LifecycleWorld(tmp_path)


def endorser(world, *, system=None, chaincodes=None, runtimes=None, limits=LIMITS):
    """The first member's endorser over the world's ledger."""
    registry = world.consortium.registry()
    rules = ProposalRules(
        channel_id=CHANNEL_ID,
        registry=registry,
        policies=world.policies,
        is_recorded=lambda _tx_id: False,
        limits=limits,
    )

    async def verify(identity, message, signature):
        verify_signature(registry.identity(identity).public_key, message, signature)

    return Endorser(
        identity=lambda: world.consortium.nodes()[0],
        dispatch=ChaincodeDispatch(
            channel_id=CHANNEL_ID, system=system or {}, chaincodes=chaincodes, runtimes=runtimes
        ),
        ports=EndorserPorts(
            rules=lambda: rules,
            verify=verify,
            snapshot=world.store.snapshot,
            clock_ms=lambda: START_NS // 1_000_000,
            on_signed=lambda *_: None,
        ),
        limits=limits,
    )


def with_block_queries(world, limits=LIMITS):
    access = world.peers["CoopMSP"].access
    qscc = QueryChaincode(CHANNEL_ID, world.store, access)
    return endorser(world, system={QUERY_CHAINCODE: qscc}, limits=limits)


def large_block(world):
    """A block with as many of the largest transactions as it may have; its stored bytes."""
    count = ABSOLUTE_BYTES_MAX // 1024**2
    world.commit(
        *(
            world.transaction(results=market(writes=[put(f"k{number}", bytes(VALUE_BYTES))]))
            for number in range(count)
        )
    )
    return world.store.block_raw(1)


async def test_the_largest_blocks_are_read_by_number_hash_and_transaction(world):
    stored = large_block(world)
    assert len(stored) > 7 * LIMITS.result_bytes_max
    block = decode_block(stored)
    asked = with_block_queries(world)
    for function, argument in (
        ("GetBlockByNumber", "1"),
        ("GetBlockByHash", block_hash(block.header)),
        ("GetBlockByTxID", decode_envelope(block.entries[3]).tx_id),
    ):
        answer = await asked.process(
            world.propose(function, CHANNEL_ID, argument, chaincode=QUERY_CHAINCODE)
        )
        assert (answer.response.status, answer.response.message) == (200, "")
        assert answer.response.payload == stored
        assert answer.endorsement is not None


async def test_a_system_chaincodes_answer_has_its_own_limit(world):
    limits = SimulationLimits(result_bytes_max=10**9, system_result_bytes_max=100)
    proposal = world.propose("GetBlockByNumber", CHANNEL_ID, "0", chaincode=QUERY_CHAINCODE)
    answer = await with_block_queries(world, limits).process(proposal)
    assert (answer.response.status, answer.endorsement) == (400, None)
    assert answer.response.message.endswith("the limit is 100")


def test_the_largest_block_fits_the_answer_and_the_answer_a_clients_message():
    assert LIMITS.system_result_bytes_max > ABSOLUTE_BYTES_MAX
    assert 2 * LIMITS.system_result_bytes_max < CLIENT_MESSAGE_BYTES_MAX

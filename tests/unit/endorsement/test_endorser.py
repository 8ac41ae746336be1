"""What the endorser makes of an execution: answers of the peer's own chaincodes, and refusals."""

import pytest

from ledger.crypto.hashing import block_hash
from ledger.crypto.signing import verify_signature
from ledger.endorsement.dispatch import ChaincodeDispatch
from ledger.endorsement.endorser import Endorser, EndorserPorts
from ledger.endorsement.lifecycle.invocable import INITIALIZED_KEY, Invocable
from ledger.endorsement.limits import SimulationLimits
from ledger.endorsement.proposal_checks import ProposalRules
from ledger.endorsement.runtimes.peer_session import Execution
from ledger.endorsement.system.chaincodes import QUERY_CHAINCODE
from ledger.endorsement.system.query_chaincode import QueryChaincode
from ledger.model.codec import decode_envelope
from ledger.model.codec_block import decode_block
from ledger.model.codes import ValidationCode
from ledger.model.config import ABSOLUTE_BYTES_MAX
from ledger.model.transaction import ChaincodeResponse
from ledger.rpc.transport import CLIENT_MESSAGE_BYTES_MAX
from tests.support.identities import CHANNEL_ID
from tests.support.ledger_world import CHAINCODE, START_NS, market, put
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


class Initialising:
    """A chaincode that has to be initialised, with a contract that does one thing to its keys."""

    def __init__(self, contract):
        self._contract = contract

    def invocable(self, name, _state):
        """`ledger.endorsement.lifecycle.invocable.MemberChaincodes`."""
        return Invocable(name, "1.0", "package", init_required=True)

    async def running(self, _chaincode):
        """`ledger.endorsement.dispatch.Runtimes`."""
        return self

    async def execute(self, _proposal, simulator, _args=None):
        """`ledger.endorsement.runtimes.runtime.ChaincodeRuntime`."""
        self._contract(simulator)
        return Execution(ChaincodeResponse(200, "", b""), None, simulator)


async def run(world, contract, *, is_init, limits=LIMITS):
    chaincode = Initialising(contract)
    proposal = world.propose("run", chaincode=CHAINCODE, is_init=is_init)
    asked = endorser(world, chaincodes=chaincode, runtimes=chaincode, limits=limits)
    return await asked.process(proposal)


def refusal(answer):
    assert (answer.response.status, answer.payload_raw, answer.endorsement) == (500, b"", None)
    return answer.response.message


async def test_an_initialisation_that_may_not_write_is_answered(world):
    def in_pages(simulator):
        simulator.use.paging()

    text = refusal(await run(world, in_pages, is_init=True))
    assert text.startswith("error in simulation: txid [")
    assert text.endswith("performed a paginated query. Writes are not allowed")


async def test_a_chaincode_that_used_all_reads_before_its_initialisation_is_noted(world):
    initialised = world.transaction(results=market(writes=[put(INITIALIZED_KEY, b"1.0")]))
    assert world.commit(initialised) == (ValidationCode.VALID,)

    def reading(count):
        def contract(simulator):
            for number in range(count):
                simulator.get_state(CHAINCODE, f"k{number}")

        return contract

    limits = SimulationLimits(reads_max=10)
    most = await run(world, reading(9), is_init=False, limits=limits)
    assert most.response.status == 200
    text = refusal(await run(world, reading(10), is_init=False, limits=limits))
    assert text == "error in simulation: more than 10 keys read"

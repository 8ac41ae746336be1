"""What all nodes and seeds of one process share: answers of pure functions, given once.

Decoding the same bytes, reading the same configuration block and checking the same signature
always give the same answer, so they are done once for a process instead of once for a node.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache

from ledger.errors import InvalidMessage
from ledger.model.block import Block
from ledger.model.transaction import Envelope
from ledger.node.membership.channel import ChannelState
from ledger.node.membership.signatures import SignatureVerifier
from ledger.ordering.envelopes import EnvelopeMemory
from ledger.storage.memory import MemoryView
from ledger.storage.opening import open_ledger
from ledger.validation.config_transaction import check_config_transaction
from ledger.validation.context import PolicyEvaluator, SignatureChecker
from tests.simulation.disk import SimulatedDisk, SimulatedStore
from tests.simulation.keys import CHANNEL_ID, SimConsortium

STATES_MAX = 50
SIGNATURES_MAX = 1_000
POLICY_ANSWERS_MAX = 100


class SharedEnvelopes(EnvelopeMemory):
    """One node's commit must not make the others decode again."""

    def forget(self, raw: bytes) -> None:
        """Only room is made, by the usual limits."""


@dataclass(frozen=True)
class SharedParts:
    memory: EnvelopeMemory
    signatures: SignatureVerifier
    channel_state: "ChannelStates"
    image: MemoryView
    """A database with the genesis block."""


class ChannelStates:
    """The channel after each configuration block, read once."""

    def __init__(self, consortium: SimConsortium) -> None:
        self._consortium = consortium
        self._known: dict[tuple[bytes, ...], ChannelState] = {}

    def __call__(self, block: Block) -> ChannelState:
        state = self._known.get(block.entries)
        if state is None or state.config_block != block.number:
            state = self._consortium.state(block)
            if len(self._known) >= STATES_MAX:
                self._known.clear()
            self._known[block.entries] = state
        return state


class ConfigVerdicts:
    """Whether a CONFIG envelope may follow a configuration: worked out once for all nodes."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, int, bytes], InvalidMessage | None] = {}

    def check(self, envelope: Envelope, state: ChannelState, signatures: SignatureChecker) -> None:
        """`ValidationContext.check_config`; all certificates are valid at all times here."""
        question = (envelope.raw, state.config_block, state.tree_raw)
        if question not in self._known:
            self._known[question] = None
            try:
                check_config_transaction(envelope, state.in_force, signatures)
            except InvalidMessage as error:
                self._known[question] = error
        error = self._known[question]
        if error is not None:
            raise error


class RememberedSignatures:
    """`SignatureChecker`: asks the shipped one once a run; members' roots never change here."""

    def __init__(self, checker: SignatureChecker) -> None:
        self.verify = lru_cache(maxsize=SIGNATURES_MAX)(checker.verify)


class RememberedPolicies:
    """`PolicyEvaluator`: what the shipped one was satisfied with it is asked once a run."""

    def __init__(self, policies: PolicyEvaluator) -> None:
        remember = lru_cache(maxsize=POLICY_ANSWERS_MAX)
        self.require_application_policy = remember(policies.require_application_policy)
        self.require_key_policy = remember(policies.require_key_policy)


@cache
def shared_parts(consortium: SimConsortium) -> SharedParts:
    """Made once per process and consortium."""
    states = ChannelStates(consortium)
    genesis_state = states(consortium.genesis)
    executor = ThreadPoolExecutor(max_workers=1)  # never used: nothing here is off a loop
    disk = SimulatedDisk(None, MemoryView({}, []))  # type: ignore[arg-type]  # nothing fails
    open_ledger(SimulatedStore(disk), channel_id=CHANNEL_ID, genesis=consortium.genesis)
    return SharedParts(
        memory=SharedEnvelopes(),
        signatures=SignatureVerifier(lambda: genesis_state.registry, executor),
        channel_state=states,
        image=disk.database.durable,
    )

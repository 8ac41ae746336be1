"""What all nodes and seeds of one process share: answers of pure functions, given once.

Decoding the same bytes, reading the same configuration block and checking the same signature
always give the same answer, so they are done once for a process instead of once for a node.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from ledger.model.block import Block
from ledger.node.channel import ChannelState
from ledger.node.signatures import SignatureVerifier
from ledger.ordering.envelopes import EnvelopeMemory
from ledger.storage.memory import MemoryView
from ledger.storage.opening import open_ledger
from tests.simulation.disk import SimulatedDisk, SimulatedStore
from tests.simulation.keys import CHANNEL_ID, SimConsortium

STATES_MAX = 50


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

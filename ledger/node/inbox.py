"""Consensus messages from other validators: decoded and verified in a worker thread, in batches.

Each sender has its own bounded queue and they are drained in turn, so a flood from one validator
delays nobody else's messages.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from ledger.consensus.events import MessageReceived
from ledger.consensus.limits import FUTURE_HEIGHTS
from ledger.consensus.messages import (
    CommitMessage,
    Message,
    ProposalMessage,
    ProposedBlock,
    RoundChangeMessage,
)
from ledger.errors import InvalidMessage
from ledger.ordering.block_building import check_contents
from ledger.ordering.consensus_codec import decode_message
from ledger.ordering.consensus_verifier import ConsensusVerifier
from ledger.ordering.envelopes import EnvelopeMemory
from ledger.ordering.pool import BlockLimits

log = logging.getLogger(__name__)

QUEUED_MESSAGES_PER_SENDER_MAX = 1_000
BATCH_MESSAGES_MAX = 64

Judged = tuple[int, Message | InvalidMessage]


@dataclass(frozen=True, slots=True)
class InboxPorts:
    """What verified messages are checked against and where they go."""

    verifier: ConsensusVerifier
    memory: EnvelopeMemory
    limits: BlockLimits
    executor: Executor
    clock_ms: Callable[[], int]
    seen_block: Callable[[bytes], ProposedBlock | None]
    deliver: Callable[[MessageReceived], None]
    on_rejected: Callable[[int, InvalidMessage], None]


class ConsensusInbox:
    """Everything between the validator streams and the core."""

    def __init__(self, ports: InboxPorts) -> None:
        self._ports = ports
        self._queues: dict[int, deque[bytes]] = {}
        self._wake = asyncio.Event()
        self._checked_blocks: dict[bytes, ProposedBlock] = {}

    def receive(self, sender: int, raw: bytes) -> None:
        """Queue a message; a sender above its quota loses the newest."""
        queue = self._queues.setdefault(sender, deque())
        if len(queue) < QUEUED_MESSAGES_PER_SENDER_MAX:
            queue.append(raw)
            self._wake.set()

    def on_committed(self) -> None:
        """Blocks of a decided height are not needed any more."""
        self._checked_blocks.clear()

    async def run(self) -> None:
        """Judge queued messages until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while batch := self._next_batch():
                judged = await loop.run_in_executor(self._ports.executor, self._judge_all, batch)
                now_ms = self._ports.clock_ms()
                for sender, outcome in judged:
                    if isinstance(outcome, InvalidMessage):
                        self._ports.on_rejected(sender, outcome)
                    else:
                        self._ports.deliver(MessageReceived(outcome, now_ms))

    def _next_batch(self) -> list[tuple[int, bytes]]:
        batch: list[tuple[int, bytes]] = []
        while len(batch) < BATCH_MESSAGES_MAX:
            taken = len(batch)
            for sender, queue in self._queues.items():
                if queue:
                    batch.append((sender, queue.popleft()))
            if len(batch) == taken:
                break
        return batch

    def _judge_all(self, batch: list[tuple[int, bytes]]) -> list[Judged]:
        return [(sender, self._judge(raw)) for sender, raw in batch]

    def _judge(self, raw: bytes) -> Message | InvalidMessage:
        try:
            message = decode_message(raw)
            self._ports.verifier.check(message)
            if isinstance(message, ProposalMessage | RoundChangeMessage):
                self._check_block(message.block)
            elif isinstance(message, CommitMessage):
                return self._with_seal(message)
        except InvalidMessage as error:
            return error
        return message

    def _check_block(self, block: ProposedBlock | None) -> None:
        if block is None or block.digest in self._checked_blocks:
            return
        check_contents(block, self._ports.limits, self._ports.memory)
        if len(self._checked_blocks) >= FUTURE_HEIGHTS:
            self._checked_blocks.clear()
        self._checked_blocks[block.digest] = block

    def _with_seal(self, message: CommitMessage) -> CommitMessage:
        digest = message.signed.payload.digest
        block = self._checked_blocks.get(digest) or self._ports.seen_block(digest)
        if block is None:
            return message
        return self._ports.verifier.check_seal(message, block)

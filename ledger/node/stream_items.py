"""Which part of the node answers which item of a validator stream."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from ledger.errors import InvalidMessage, Reason
from ledger.node.consensus.consensus_queue import ConsensusQueue
from ledger.node.endorsing.remote_endorsers import RemoteEndorsers
from ledger.node.following.catch_up import CatchUp
from ledger.node.following.observers import Observers
from ledger.node.ordering.submission import TransactionSubmission
from ledger.node.private_parts import PrivateStreams
from ledger.rpc.misbehaviour import RejectionHandler, nobody_counts
from ledger.rpc.validator_service import Reply
from ledger.wire.validator_pb2 import Item

REQUESTS_PER_SENDER_MAX = 2_000
REQUEST_BYTES_PER_SENDER_MAX = 64 * 1024 * 1024
"""What one validator may have under way here; an honest one stays far below."""


@dataclass(slots=True)
class StreamItems:
    """Routes requests of other validators, and the answers to ours."""

    queue: ConsensusQueue
    submission: TransactionSubmission
    endorsers: RemoteEndorsers
    catch_up: CatchUp
    observers: Observers
    private: PrivateStreams
    is_validator: Callable[[], bool]
    """Whether this node is one; else the others take nothing from it but questions for blocks."""
    on_rejected: RejectionHandler = nobody_counts
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    under_way: dict[int, tuple[int, int]] = field(default_factory=dict)
    """(requests, bytes) by sender."""

    def on_request(self, sender: int, item: Item, reply: Reply) -> None:
        """An item on a stream that another validator opened."""
        if sender < 0 and not self.observers.heard(sender, item, reply):
            return
        kind = item.WhichOneof("kind")
        if kind == "consensus_message":
            self.queue.receive(sender, item.consensus_message)
        elif kind == "transactions":
            self._spawn(sender, item, self.submission.on_batch(item.transactions, reply))
        elif kind == "endorse_request":
            self._spawn(sender, item, self.endorsers.on_request(item.endorse_request, reply))
        elif kind == "private_data_offer" and sender > 0:
            offer = item.private_data_offer
            self._spawn(sender, item, self.private.dissemination.on_offer(sender, offer, reply))
        elif kind == "private_data_request" and sender > 0:
            asked = item.private_data_request
            self._spawn(sender, item, self.private.requests.on_request(sender, asked, reply))
        elif kind == "block_request":
            self.catch_up.on_request(sender, item.block_request, reply)
        elif kind == "status" and sender > 0:
            self.catch_up.on_status(sender, item.status)
        elif kind != "status":
            self._refuse(sender, f"an item of kind {kind} is no request")

    def on_answer(self, sender: int, item: Item) -> None:
        """An item on a stream that we opened."""
        kind = item.WhichOneof("kind")
        if kind == "transactions_result":
            self.submission.on_result(sender, item.transactions_result)
        elif kind == "endorse_result":
            self.endorsers.on_result(sender, item.endorse_result)
        elif kind == "private_data_receipt":
            self.private.dissemination.on_receipt(sender, item.private_data_receipt)
        elif kind == "private_data_response":
            self.private.requests.on_response(sender, item.private_data_response)
        elif kind == "block_response":
            self.catch_up.on_response(sender, item.block_response)
        elif kind == "status":
            # Only who follows without a vote is told so: no block comes to it by consensus.
            self.catch_up.on_status(sender, item.status, lag_tolerance_ms=0)
        else:
            self._refuse(sender, f"an item of kind {kind} is no answer")

    def on_connected(self, consenter_id: int) -> None:
        """A stream of ours is open: say where we are and what waits here."""
        self.catch_up.on_connected(consenter_id)
        self.private.reconciler.on_connected()
        if self.is_validator():
            self.submission.send_pool_to(consenter_id)

    def on_disconnected(self, consenter_id: int) -> None:
        """A stream of ours broke: nothing more will be answered on it."""
        self.submission.on_disconnected(consenter_id)
        self.endorsers.on_disconnected(consenter_id)
        self.private.on_disconnected(consenter_id)

    def _spawn(self, sender: int, item: Item, work: Coroutine[Any, Any, None]) -> None:
        size = item.ByteSize()
        requests, total = self.under_way.get(sender, (0, 0))
        if requests >= REQUESTS_PER_SENDER_MAX or total + size > REQUEST_BYTES_PER_SENDER_MAX:
            work.close()
            error = InvalidMessage(Reason.OVERLOADED, f"{requests} of its requests are under way")
            self.on_rejected(sender, error)
            return
        self.under_way[sender] = (requests + 1, total + size)
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(lambda done: self._finished(done, sender, size))

    def _refuse(self, sender: int, detail: str) -> None:
        self.on_rejected(sender, InvalidMessage(Reason.MALFORMED, detail))

    def _finished(self, task: asyncio.Task[None], sender: int, size: int) -> None:
        self.tasks.discard(task)
        requests, total = self.under_way[sender]
        self.under_way[sender] = (requests - 1, total - size)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            problem = {"message": "a stream request failed", "exception": error, "task": task}
            task.get_loop().call_exception_handler(problem)

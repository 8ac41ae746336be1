"""A transfer between two nodes: what to send next, and what an answer changes. Pure.

    WAITING ──its turn──▶ RUNNING ──both ends final──▶ DONE or FAILED

Commands are sent again and again until an end has answered finally; a node carries one out once
per id and answers every copy with how it stands (docs/mqtt.md). So a lost message, a restart of
the gateway, the broker or the node changes when, never how often, a relay closes.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from gateway.mqtt.device_messages import (
    ACCEPTED,
    DONE,
    FAILED,
    FINAL,
    FORMAT_VERSION,
    Acknowledgement,
)

RESEND_UNANSWERED_MS = 2_000
RESEND_ACCEPTED_MS = 10_000
GRACE_MS = 60_000
"""After `until` a node's relay is open whatever happened; so long its answer is waited for."""
NO_ANSWER, STOPPED = "no_answer", "stopped"


class TransferState(StrEnum):
    """Life of a transfer."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


OVER = frozenset((TransferState.DONE, TransferState.FAILED))


@dataclass(frozen=True, slots=True)
class End:
    """One end: its node, and what that answered last (empty: nothing yet)."""

    idgrid: str
    device_id: str
    status: str = ""
    reason: str = ""
    energy_mwh: int = 0

    @property
    def is_final(self) -> bool:
        """Whether its relay will not move any more for this transfer."""
        return self.status in FINAL


@dataclass(frozen=True, slots=True)
class Transfer:
    """`number` is the community's running one, `transfer_id` what it is known by everywhere.

    It begins at `begins_ms` or when its bus segment is free, never at or after `expires_ms`, and
    is over at `until_ms`.
    """

    transfer_id: str
    number: int
    segment: str
    energy_wh: int
    seller: End
    buyer: End
    begins_ms: int
    expires_ms: int
    until_ms: int
    state: str = TransferState.WAITING

    @property
    def ends(self) -> tuple[End, End]:
        """Seller and buyer."""
        return self.seller, self.buyer


@dataclass(frozen=True, slots=True)
class Command:
    """A message for a node, sent again after `resend_ms` unless there is an answer."""

    device_id: str
    message: dict[str, Any] = field(hash=False)
    resend_ms: int


def answered(transfer: Transfer, answer: Acknowledgement) -> Transfer:
    """The transfer after a node's answer; a final answer stays, whatever comes later."""
    seller, buyer = (_end_after(end, answer) for end in transfer.ends)
    return concluded(replace(transfer, seller=seller, buyer=buyer))


def concluded(transfer: Transfer) -> Transfer:
    """Over when both ends are: done if one measured the agreed energy.

    The other did, too, or was stopped then: two sensors never measure quite the same, and both
    figures are kept.
    """
    if transfer.state in OVER or not all(end.is_final for end in transfer.ends):
        return transfer
    is_done = any(end.status == DONE for end in transfer.ends) and all(
        end.status == DONE or end.reason == STOPPED for end in transfer.ends
    )
    return replace(transfer, state=TransferState.DONE if is_done else TransferState.FAILED)


def timed_out(transfer: Transfer, now_ms: int) -> Transfer:
    """Ends that never answered are given up when their relays must be open."""
    if now_ms < transfer.until_ms + GRACE_MS or transfer.state in OVER:
        return transfer
    seller, buyer = (
        end if end.is_final else replace(end, status=FAILED, reason=NO_ANSWER)
        for end in transfer.ends
    )
    return concluded(replace(transfer, seller=seller, buyer=buyer))


def left_undone(transfer: Transfer) -> dict[str, str]:
    """Of a failed transfer the nodes that ended it otherwise than agreed, and why each did.

    A node that was stopped because the other end had ended is none of them.
    """
    if transfer.state != TransferState.FAILED:
        return {}
    return {
        end.device_id: end.reason
        for end in transfer.ends
        if end.status != DONE and end.reason != STOPPED
    }


def next_to_run(transfers: list[Transfer], now_ms: int) -> list[Transfer]:
    """Of every bus segment the one whose turn it is: the one running, else the lowest number."""
    first: dict[str, Transfer] = {}
    for transfer in sorted(
        transfers, key=lambda one: (one.state != TransferState.RUNNING, one.number)
    ):
        if transfer.state not in OVER and transfer.begins_ms <= now_ms:
            first.setdefault(transfer.segment, transfer)
    return [replace(transfer, state=TransferState.RUNNING) for transfer in first.values()]


def commands(transfer: Transfer, now_ms: int) -> list[Command]:
    """What the ends that are not final have to hear.

    Once one relay is open nothing flows any more: the other end is stopped, else it would wait
    for the last watt-hour that its own sensor has not seen. One that never answered may not have
    begun, and now must not: it hears the stop alone, and answers with how the transfer stands.
    """
    has_ended = any(end.is_final for end in transfer.ends)
    wanted = []
    for end in transfer.ends:
        if end.is_final:
            continue
        resend_ms = RESEND_ACCEPTED_MS if end.status == ACCEPTED else RESEND_UNANSWERED_MS
        if end.status or not has_ended:
            wanted.append(Command(end.device_id, transfer_message(transfer, now_ms), resend_ms))
        if has_ended:
            wanted.append(
                Command(end.device_id, stop_message(transfer, now_ms), RESEND_UNANSWERED_MS)
            )
    return wanted


def transfer_message(transfer: Transfer, now_ms: int) -> dict[str, Any]:
    """The command both nodes get; each sees from the accounts which end it is."""
    return {
        "v": FORMAT_VERSION,
        "id": transfer.transfer_id,
        "op": "transfer",
        "t": now_ms,
        "expires": transfer.expires_ms,
        "until": transfer.until_ms,
        "number": transfer.number,
        "energy_wh": transfer.energy_wh,
        "seller": transfer.seller.idgrid,
        "buyer": transfer.buyer.idgrid,
    }


def stop_message(transfer: Transfer, now_ms: int) -> dict[str, Any]:
    """Ends a transfer whose other end has ended early."""
    return {
        "v": FORMAT_VERSION,
        "id": f"{transfer.transfer_id}-stop",
        "op": "stop",
        "t": now_ms,
        "expires": transfer.until_ms + GRACE_MS,
        "transfer": transfer.transfer_id,
    }


def _end_after(end: End, answer: Acknowledgement) -> End:
    if end.is_final or answer.device_id != end.device_id:
        return end
    return replace(end, status=answer.status, reason=answer.reason, energy_mwh=answer.energy_mwh)

"""A transfer between two nodes: what to send next, and what an answer changes. Pure.

    WAITING ──its turn──▶ RUNNING ──both ends final──▶ DONE or FAILED
       └────────no turn before its time is over──────────────▲

A turn ends by the clock of both nodes, whether or not the energy flowed: a seller without sun
keeps the others from the bus for its turn. A node that never says how it ended keeps them for
`GRACE_MS` more. What a turn's end cut short is not begun again, and is nobody's fault.
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
    REFUSED,
    Acknowledgement,
)

RESEND_UNANSWERED_MS = 2_000
RESEND_ACCEPTED_MS = 10_000
GRACE_MS = 60_000
"""After `until` a node's relay is open whatever happened; so long its answer is waited for."""
TURN_MS_MIN = 60_000
"""A turn's length at least, as far as there is time: commands get lost, relays take a while."""
NO_ANSWER, NO_TURN, STOPPED = "no_answer", "no_turn", "stopped"
UNTIL, TURN_OVER = "until", "turn_over"
"""A node says the first when its time is over; here it is the second where the gateway set that
time before the end of delivery."""
BLAMELESS = frozenset((NO_TURN, STOPPED, TURN_OVER))


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

    It begins at `begins_ms` or when its bus segment is free, and is over at `until_ms`: the end
    of delivery while it waits, and then of its turn. `expires_ms` stays the end of delivery.
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

    @property
    def has_less_than_delivery(self) -> bool:
        """Whether its turn ends before delivery does: others wanted the bus, too."""
        return self.until_ms < self.expires_ms


@dataclass(frozen=True, slots=True)
class Command:
    """A message for a node, sent again after `resend_ms` unless there is an answer."""

    device_id: str
    message: dict[str, Any] = field(hash=False)
    resend_ms: int


def answered(transfer: Transfer, answer: Acknowledgement) -> Transfer:
    """The transfer after a node's answer; a final answer stays, whatever comes later."""
    is_cut = transfer.has_less_than_delivery and answer.reason == UNTIL
    told = replace(answer, reason=TURN_OVER) if is_cut else answer
    seller, buyer = (_end_after(end, told) for end in transfer.ends)
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
    """Ends that never answered are given up when their relays must be open.

    A transfer that had no turn is over without them: nobody was told of it.
    """
    if transfer.state in OVER:
        return transfer
    if transfer.state == TransferState.WAITING and not _has_time(transfer, now_ms):
        return _given_up(transfer, REFUSED, NO_TURN)
    if now_ms < transfer.until_ms + GRACE_MS:
        return transfer
    return _given_up(transfer, FAILED, NO_ANSWER)


def left_undone(transfer: Transfer) -> dict[str, str]:
    """Of a failed transfer the nodes that ended it otherwise than agreed, and why each did.

    A node that was stopped because the other end had ended is none of them, nor is one whose
    transfer had no turn, or a turn that ended before delivery did.
    """
    if transfer.state != TransferState.FAILED:
        return {}
    return {
        end.device_id: end.reason
        for end in transfer.ends
        if end.status != DONE and end.reason not in BLAMELESS
    }


def next_to_run(transfers: list[Transfer], now_ms: int) -> list[Transfer]:
    """Of every bus segment the one whose turn it is: the one running, else the lowest number."""
    segments: dict[str, list[Transfer]] = {}
    for transfer in sorted(transfers, key=lambda one: one.number):
        if transfer.state not in OVER and transfer.begins_ms <= now_ms:
            segments.setdefault(transfer.segment, []).append(transfer)
    of_each = (_whose_turn(sharing, now_ms) for sharing in segments.values())
    return [transfer for transfer in of_each if transfer is not None]


def _whose_turn(sharing: list[Transfer], now_ms: int) -> Transfer | None:
    for transfer in sharing:
        if transfer.state == TransferState.RUNNING:
            return transfer
    waiting = [transfer for transfer in sharing if _has_time(transfer, now_ms)]
    return _with_turn(waiting, now_ms) if waiting else None


def _with_turn(waiting: list[Transfer], now_ms: int) -> Transfer:
    """The first, which runs until its part of the time left is over, shared by energy.

    By energy, whatever the power: nobody knows that before. What it does not use is shared by
    those after it, and does not go back to those before. The last one has all that is left.
    """
    first = waiting[0]
    left_ms = first.until_ms - now_ms
    part_ms = left_ms * first.energy_wh // sum(transfer.energy_wh for transfer in waiting)
    ends_ms = now_ms + min(left_ms, max(part_ms, TURN_MS_MIN))
    return replace(first, state=TransferState.RUNNING, until_ms=ends_ms)


def _has_time(transfer: Transfer, now_ms: int) -> bool:
    """Whether a turn could begin: with less left its command could not even be repeated."""
    return transfer.until_ms - now_ms >= RESEND_UNANSWERED_MS


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
    """The command both nodes get; each sees from the accounts which end it is.

    It expires with its turn: a node that hears of it later must not begin in another's.
    """
    return {
        "v": FORMAT_VERSION,
        "id": transfer.transfer_id,
        "op": "transfer",
        "t": now_ms,
        "expires": transfer.until_ms,
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


def _given_up(transfer: Transfer, status: str, reason: str) -> Transfer:
    """Over; an end without a final answer gets this one."""
    seller, buyer = (
        end if end.is_final else replace(end, status=status, reason=reason)
        for end in transfer.ends
    )
    return concluded(replace(transfer, seller=seller, buyer=buyer))


def _end_after(end: End, answer: Acknowledgement) -> End:
    if end.is_final or answer.device_id != end.device_id:
        return end
    return replace(end, status=answer.status, reason=answer.reason, energy_mwh=answer.energy_mwh)

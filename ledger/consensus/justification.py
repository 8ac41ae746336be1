"""What justifies a round: certificates of prepares and of round changes.

Every check raises `InvalidMessage` with its reason and changes nothing.
"""

from collections.abc import Sequence

from ledger.consensus.limits import MAX_ROUND
from ledger.consensus.messages import (
    Payload,
    Prepare,
    ProposalMessage,
    RoundChange,
    RoundChangeMessage,
    Signed,
)
from ledger.consensus.quorum import quorum
from ledger.errors import InvalidMessage, Reason


def check_certificate_authors(
    items: Sequence[Signed[Payload]], validators: Sequence[int], what: str
) -> None:
    """At least a quorum of items, at most one per validator, nobody else.

    Counts authors, not signatures: one key can make many valid signatures of one payload.
    """
    if len(items) > len(validators):
        raise InvalidMessage(
            Reason.OVERSIZED, f"{len(items)} {what} for {len(validators)} validators"
        )
    authors = {item.author for item in items}
    if len(authors) != len(items):
        raise InvalidMessage(Reason.NOT_JUSTIFIED, f"an author appears twice in the {what}")
    strangers = authors.difference(validators)
    if strangers:
        raise InvalidMessage(
            Reason.NOT_A_VALIDATOR, f"{what} by {sorted(strangers)}, not validators"
        )
    if len(items) < quorum(len(validators)):
        raise InvalidMessage(
            Reason.NOT_JUSTIFIED,
            f"{len(items)} {what}, a quorum of {len(validators)} is {quorum(len(validators))}",
        )


def check_prepares(
    prepares: Sequence[Signed[Prepare]],
    *,
    expected: Prepare,
    validators: Sequence[int],
) -> None:
    """A quorum of prepares, each for exactly this height, round and digest."""
    check_certificate_authors(prepares, validators, "prepares")
    for signed in prepares:
        if signed.payload != expected:
            raise InvalidMessage(
                Reason.NOT_JUSTIFIED,
                f"prepare of {signed.author} is for round {signed.payload.round} of height "
                f"{signed.payload.height} or another block",
            )


def check_round_change_payload(payload: RoundChange) -> None:
    """Round in bounds; prepared round and digest both there or both not; prepared earlier."""
    if not 1 <= payload.round <= MAX_ROUND:
        raise InvalidMessage(Reason.ROUND_OUT_OF_BOUNDS, f"round change to {payload.round}")
    if (payload.prepared_round is None) != (payload.prepared_digest is None):
        raise InvalidMessage(
            Reason.MALFORMED, "prepared round and prepared digest belong together"
        )
    if payload.prepared_round is not None and not 0 <= payload.prepared_round < payload.round:
        raise InvalidMessage(
            Reason.ROUND_OUT_OF_BOUNDS,
            f"prepared in round {payload.prepared_round}, moving to {payload.round}",
        )


def check_round_change_attachments(
    message: RoundChangeMessage, *, validators: Sequence[int]
) -> None:
    """Block and prepares are there exactly when something is claimed prepared, and prove it."""
    payload = message.signed.payload
    if payload.prepared_round is None or payload.prepared_digest is None:
        if message.block is not None or message.prepares:
            raise InvalidMessage(Reason.NOT_JUSTIFIED, "attachments without a prepared round")
        return
    if message.block is None:
        raise InvalidMessage(Reason.NOT_JUSTIFIED, "the prepared block is missing")
    if message.block.digest != payload.prepared_digest:
        raise InvalidMessage(Reason.DIGEST_MISMATCH, "the block is not the prepared one")
    check_prepares(
        message.prepares,
        expected=Prepare(payload.height, payload.prepared_round, payload.prepared_digest),
        validators=validators,
    )


def highest_prepared(
    round_changes: Sequence[Signed[RoundChange]],
) -> tuple[int, bytes] | None:
    """The highest prepared round of a certificate with its digest; None if nothing is prepared.

    Two round changes that claim the same round must name the same block.
    """
    claims: dict[int, bytes] = {}
    for signed in round_changes:
        prepared_round, digest = signed.payload.prepared_round, signed.payload.prepared_digest
        if prepared_round is None or digest is None:
            continue
        if claims.setdefault(prepared_round, digest) != digest:
            raise InvalidMessage(
                Reason.NOT_JUSTIFIED, f"two blocks claimed prepared in round {prepared_round}"
            )
    if not claims:
        return None
    highest = max(claims)
    return highest, claims[highest]


def check_proposal_justification(
    message: ProposalMessage, *, validators: Sequence[int]
) -> tuple[int, bytes] | None:
    """Justification of a proposal; returns what it must propose again, None for a fresh block.

    Round 0 needs none and may carry none. Later rounds need a quorum of round changes to exactly
    this round and, if any of them is prepared, the block of the highest prepared round with its
    quorum of prepares. The judge's own lock plays no part: the justification decides.
    """
    proposal = message.signed.payload
    if proposal.round == 0:
        if message.round_changes or message.prepares:
            raise InvalidMessage(Reason.NOT_JUSTIFIED, "round 0 needs no justification")
        return None
    check_certificate_authors(message.round_changes, validators, "round changes")
    for signed in message.round_changes:
        check_round_change_payload(signed.payload)
        if (signed.payload.height, signed.payload.round) != (proposal.height, proposal.round):
            raise InvalidMessage(
                Reason.NOT_JUSTIFIED,
                f"round change of {signed.author} is for round {signed.payload.round} of height "
                f"{signed.payload.height}",
            )
    highest = highest_prepared(message.round_changes)
    if highest is None:
        if message.prepares:
            raise InvalidMessage(Reason.NOT_JUSTIFIED, "prepares, but nothing is prepared")
        return None
    prepared_round, digest = highest
    if proposal.digest != digest:
        raise InvalidMessage(
            Reason.NOT_JUSTIFIED, f"another block was prepared in round {prepared_round}"
        )
    check_prepares(
        message.prepares,
        expected=Prepare(proposal.height, prepared_round, digest),
        validators=validators,
    )
    return highest

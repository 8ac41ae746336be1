"""An entry of a block, opened down to what its transaction read, wrote and who vouched for it."""

import hashlib
from dataclasses import dataclass

from ledger.audit.consenters import CONFIG_TRANSACTION
from ledger.audit.read_write_sets import ChaincodeSet, read_write_sets, text
from ledger.audit.wire_fields import BrokenBytes, Fields, read_fields

ENDORSER_TRANSACTION = 3


@dataclass(frozen=True, slots=True)
class SignedBytes:
    """Who signed (msp.SerializedIdentity bytes) which message with which signature."""

    signer: bytes
    message: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Action:
    """The endorsed result of an endorser transaction."""

    chaincode_names: tuple[str, str, str]
    """In the channel header, in the proposal, in the result; they must be one."""
    chaincode_version: str
    event_chaincode: str | None
    is_bound: bool
    """Whether the endorsed result belongs to the proposal that the headers name."""
    sets: tuple[ChaincodeSet, ...]
    endorsements: tuple[SignedBytes, ...]


@dataclass(frozen=True, slots=True)
class ReadEntry:
    """One entry; `action` is None for a configuration."""

    channel_id: str
    tx_id: str
    expected_tx_id: str
    """What nonce and creator give."""
    creator_signed: SignedBytes
    action: Action | None


def read_entry(raw: bytes) -> ReadEntry:
    """Raises BrokenBytes for what is neither a configuration nor an endorser transaction."""
    envelope = read_fields(raw)
    payload_raw = envelope.content(1)
    payload = read_fields(payload_raw)
    headers = payload.message(1)
    channel = read_fields(headers.content(1))
    signer = read_fields(headers.content(2))
    kind = channel.number(1, bits=32)
    action = None
    if kind == ENDORSER_TRANSACTION:
        _require(bool(signer.content(1) and signer.content(2)), "creator or nonce is missing")
        _require(channel.number(6) == 0, "the epoch is not 0")
        action = _action(payload.content(2), headers, channel)
    elif kind != CONFIG_TRANSACTION:
        raise BrokenBytes(f"an entry of type {kind}")
    return ReadEntry(
        channel_id=text(channel.content(4)),
        tx_id=text(channel.content(5)),
        expected_tx_id=hashlib.sha256(signer.content(2) + signer.content(1)).hexdigest(),
        creator_signed=SignedBytes(signer.content(1), payload_raw, envelope.content(2)),
        action=action,
    )


def _action(data: bytes, headers: Fields, channel: Fields) -> Action:
    actions = read_fields(data).contents(1)
    _require(len(actions) == 1, f"{len(actions)} actions")
    action = read_fields(actions[0])
    _require(action.content(1) == headers.content(2), "the action has another signature header")
    payload = read_fields(action.content(2))
    _require(payload.has(2), "the action is empty")
    proposal_payload, endorsed = payload.content(1), payload.message(2)
    response_raw = endorsed.content(1)
    response = read_fields(response_raw)
    _require(bool(response.content(2)), "there is no result")
    result = read_fields(response.content(2))
    proposal_hash = hashlib.sha256(headers.content(1) + headers.content(2) + proposal_payload)
    in_result = result.message(4)
    event = read_fields(result.content(2)) if result.content(2) else None
    return Action(
        chaincode_names=(
            text(read_fields(channel.content(7)).message(2).content(2)),
            text(read_fields(read_fields(proposal_payload).content(1)).message(1, 2).content(2)),
            text(in_result.content(2)),
        ),
        chaincode_version=text(in_result.content(3)),
        event_chaincode=None if event is None else text(event.content(1)),
        is_bound=response.content(1) == proposal_hash.digest(),
        sets=read_write_sets(result.content(1)),
        endorsements=tuple(
            _endorsement(read_fields(part), response_raw) for part in endorsed.contents(2)
        ),
    )


def _endorsement(fields: Fields, response_raw: bytes) -> SignedBytes:
    endorser = fields.content(1)
    return SignedBytes(endorser, response_raw + endorser, fields.content(2))


def _require(holds: bool, what: str) -> None:  # noqa: FBT001
    if not holds:
        raise BrokenBytes(what)

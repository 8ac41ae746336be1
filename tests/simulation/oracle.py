"""I5: may this proposal be prepared? A second judge, written from docs/consensus.md alone.

It reads the bytes that came over the network with its own reader and shares no code with the core,
its codec or its verifier. Slower and simpler: one rule after another, nothing remembered.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ledger.audit.block_reading import (
    block_id,
    encode_consenter_metadata,
    header_der,
    merkle_root,
)
from ledger.audit.consenters import is_configuration
from ledger.audit.wire_fields import BrokenBytes, Fields, read_fields

PROPOSAL, PREPARE, COMMIT, ROUND_CHANGE = 1, 2, 3, 4
ROUNDS_MAX = 1_000_000

SignatureCheck = Callable[[bytes, int, bytes, bytes], bool]
"""(hash of the validator set, author, payload bytes, signature) → whether the author signed them
on this channel under this set."""


class Unjustified(Exception):  # noqa: N818
    """The proposal breaks a rule; the text says which."""


@dataclass(frozen=True, slots=True)
class Situation:
    """The ledger as a validator of this height must see it."""

    height: int
    parent_hash: bytes
    parent_time_ms: int
    commit_hash: bytes
    last_config: int
    validators: tuple[int, ...]
    set_hash: bytes

    @property
    def quorum(self) -> int:
        return len(self.validators) - len(self.validators) // 3

    def turn(self, round_number: int) -> int:
        return sorted(self.validators)[(self.height + round_number) % len(self.validators)]


@dataclass(frozen=True, slots=True)
class Statement:
    """One signed payload; `lock` is (round, digest) of a round change that claims one."""

    kind: int
    height: int
    round: int
    digest: bytes
    author: int
    lock: tuple[int, bytes] | None
    raw: bytes
    signature: bytes


def read_statement(signed_raw: bytes) -> Statement:
    """A SignedConsensusPayload."""
    signed = read_fields(signed_raw)
    raw = signed.content(1)
    fields = read_fields(raw)
    return Statement(
        kind=fields.number(1, bits=32),
        height=fields.number(2),
        round=fields.number(3),
        digest=fields.content(4),
        author=fields.number(10, bits=32),
        lock=(fields.number(8), fields.content(9)) if fields.number(7) else None,
        raw=raw,
        signature=signed.content(2),
    )


def judge(raw: bytes, situation: Situation, signature_is_good: SignatureCheck) -> None:
    """Raise Unjustified unless these bytes are a proposal to prepare in this situation."""
    try:
        message = read_fields(raw)
        proposal = read_statement(message.content(1))
        changes = [read_statement(one) for one in message.contents(3)]
        prepares = [read_statement(one) for one in message.contents(4)]
        block = _Block(read_fields(message.content(2)))
    except BrokenBytes as error:
        raise Unjustified(str(error)) from error
    for one in (proposal, *changes, *prepares):
        is_good = signature_is_good(situation.set_hash, one.author, one.raw, one.signature)
        _must(is_good, f"signature of {one.author}")
    _must(proposal.kind == PROPOSAL, "a proposal")
    _must(proposal.height == situation.height, "height")
    _must(proposal.round <= ROUNDS_MAX, "round in bounds")
    _must(proposal.author == situation.turn(proposal.round), "turn of the proposer")
    _must(proposal.digest == block.digest, "the signed block")
    block.check(situation)
    highest = _highest_lock(proposal, changes, situation)
    if highest is None:
        _must(not prepares, "no prepares when nothing is locked")
        _must(block.author == proposal.author, "a fresh block is its proposer's")
        return
    locked_round, digest = highest
    _must(digest == proposal.digest, f"the block locked in round {locked_round}")
    _certificate(prepares, PREPARE, situation, locked_round)
    _must(all(one.digest == digest for one in prepares), "prepares for the locked block")


def _highest_lock(
    proposal: Statement, changes: list[Statement], situation: Situation
) -> tuple[int, bytes] | None:
    if proposal.round == 0:
        _must(not changes, "no round changes in round 0")
        return None
    _certificate(changes, ROUND_CHANGE, situation, proposal.round)
    locks = {one.lock for one in changes if one.lock is not None}
    _must(all(locked_round < proposal.round for locked_round, _ in locks), "locks are older")
    _must(len({locked_round for locked_round, _ in locks}) == len(locks), "one lock for a round")
    return max(locks, default=None)


def _certificate(
    statements: Iterable[Statement], kind: int, situation: Situation, round_number: int
) -> None:
    """A quorum of one kind, for this height and round, each author once."""
    authors = [one.author for one in statements]
    _must(len(authors) >= situation.quorum, "a quorum")
    _must(len(set(authors)) == len(authors), "distinct authors")
    _must(set(authors) <= set(situation.validators), "authors are validators")
    expected = (kind, situation.height, round_number)
    found = {(one.kind, one.height, one.round) for one in statements}
    _must(found == {expected}, f"all for {expected}")


class _Block:
    """A BlockProposal."""

    def __init__(self, fields: Fields) -> None:
        header = fields.message(1)
        self.number = header.number(1)
        self.previous_hash, self.data_hash = header.content(2), header.content(3)
        self.entries = fields.contents(2)
        self.last_config = fields.number(3)
        self.metadata_raw = fields.content(4)
        self.metadata = read_fields(self.metadata_raw)
        self.author = self.metadata.number(3, bits=32)
        self.digest = block_id(
            header_der(self.number, self.previous_hash, self.data_hash),
            last_config=self.last_config,
            consenter_metadata=self.metadata_raw,
        )

    def check(self, situation: Situation) -> None:
        _must(self.number == situation.height, "the block's height")
        _must(self.previous_hash == situation.parent_hash, "the block's parent")
        carries_config = len(self.entries) == 1 and is_configuration(self.entries[0])
        named = self.number if carries_config else situation.last_config
        _must(self.last_config == named, "the block's configuration")
        _must(self.author in situation.validators, "the block's author")
        time_ms = self.metadata.number(4)
        _must(time_ms > situation.parent_time_ms, "a later time")
        _must(bool(self.entries), "transactions")
        _must(hashlib.sha256(b"".join(self.entries)).digest() == self.data_hash, "data hash")
        expected = encode_consenter_metadata(
            proposer=self.author,
            block_time_ms=time_ms,
            transactions_root=merkle_root(self.entries),
            validator_set_hash=situation.set_hash,
            previous_commit_hash=situation.commit_hash,
            config_before=situation.last_config,
        )
        _must(self.metadata_raw == expected, "Merkle root, validator set, state, round 0")


def _must(holds: bool, what: str) -> None:
    if not holds:
        raise Unjustified(what)

"""Whether blocks, from genesis on, are a chain that quorums of validators sealed.

Written from the rules in docs/consensus.md, not from the committer: it reads stored bytes and
follows the validator set through the configuration blocks. It does not judge transactions.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from ledger.audit.block_reading import HASH_BYTES, ReadBlock, merkle_root, read_block
from ledger.audit.consenters import Consenters, consenters_of, is_configuration
from ledger.audit.wire_fields import BrokenBytes

VALID = 0
"""The validation code of a transaction that counts."""

SealCheck = Callable[[int, bytes, bytes, bytes], bool]
"""(consenter id, its PEM certificate, message, signature) → whether the signature is good."""


class ChainBroken(ValueError):  # noqa: N818 - what is wrong, not that something is
    """A block breaks a rule; the text names block and rule."""

    def __init__(self, block_number: int | None, wrong: str) -> None:
        """Take None where no block can be named."""
        super().__init__(wrong if block_number is None else f"block {block_number} {wrong}")
        self.block_number = block_number


@dataclass(frozen=True, slots=True)
class ChainHead:
    """What the next block is measured by."""

    number: int
    block_hash: bytes
    block_time_ms: int
    commit_hash: bytes
    last_config: int
    consenters: Consenters
    """Of the next block."""


def start_chain(genesis_raw: bytes) -> ChainHead:
    """The head after block 0 as a peer stores it, with codes and commit hash.

    Everything else rests on it: compare its hash by other means.
    """
    try:
        block = read_block(genesis_raw)
        _require(block.number == 0, block, "is no genesis block")
        _require(len(block.entries) == 1, block, "does not hold one configuration")
        _check_contents(block)
        consenters = consenters_of(block.entries[0])
    except BrokenBytes as error:
        raise ChainBroken(0, f"cannot be read: {error}") from error
    return ChainHead(
        number=0,
        block_hash=block.block_hash,
        block_time_ms=0,
        commit_hash=block.commit_hash,
        last_config=0,
        consenters=consenters,
    )


def resume_chain(raw: bytes, config_raw: bytes) -> ChainHead:
    """The head after a block that was checked before; `config_raw` is the block of its set.

    Nothing is checked again but that the two belong together; raises ChainBroken.
    """
    try:
        block, configuration = read_block(raw), read_block(config_raw)
        named = configuration.number == block.last_config
        _require(named, block, "names another configuration block")
        consenters = consenters_of(configuration.entries[0])
    except BrokenBytes as error:
        raise ChainBroken(None, f"a stored block cannot be read: {error}") from error
    return ChainHead(
        number=block.number,
        block_hash=block.block_hash,
        block_time_ms=block.block_time_ms,
        commit_hash=block.commit_hash,
        last_config=block.last_config,
        consenters=consenters,
    )


def extend_chain(head: ChainHead, raw: bytes, *, seal_is_good: SealCheck) -> ChainHead:
    """The head after the next block; raises ChainBroken."""
    try:
        return extend_by(head, read_block(raw), seal_is_good=seal_is_good)
    except BrokenBytes as error:
        raise ChainBroken(head.number + 1, f"cannot be read: {error}") from error


def extend_by(head: ChainHead, block: ReadBlock, *, seal_is_good: SealCheck) -> ChainHead:
    """`extend_chain` with a block that is read already; raises BrokenBytes, too."""
    _check_place(block, head)
    _check_contents(block)
    _check_seals(block, head.consenters, seal_is_good)
    return _next_head(head, block)


def leap_chain(head: ChainHead, number: int, raw: bytes, *, seal_is_good: SealCheck) -> ChainHead:
    """The head after block `number`, with the blocks in between unknown; raises ChainBroken.

    No configuration may be among them. What a snapshot leaves of a chain is followed like this:
    its parent, and the state it votes on, are not compared with anything.
    """
    try:
        block = read_block(raw)
        if block.number != number:
            raise ChainBroken(number, f"says it is block {block.number}")
        _check_set(block, head)
        _check_entries(block)
        _check_seals(block, head.consenters, seal_is_good)
        return _next_head(head, block)
    except BrokenBytes as error:
        raise ChainBroken(number, f"cannot be read: {error}") from error


def _check_place(block: ReadBlock, head: ChainHead) -> None:
    if block.number != head.number + 1:
        raise ChainBroken(head.number + 1, f"says it is block {block.number}")
    _require(block.previous_hash == head.block_hash, block, "names another parent")
    _check_set(block, head)
    same_state = block.previous_commit_hash == head.commit_hash
    _require(same_state, block, "names another state after its parent")


def _check_set(block: ReadBlock, head: ChainHead) -> None:
    """Later than the head, and made under its configuration."""
    _require(block.block_time_ms > head.block_time_ms, block, "is not later than its parent")
    before = head.last_config
    _require(block.config_before == before, block, "names another configuration block")
    named = block.number if _carries_config(block.entries) else before
    _require(block.last_config == named, block, "names another configuration block")
    same_set = block.validator_set_hash == head.consenters.set_hash
    _require(same_set, block, "names another validator set")
    _require(
        block.proposer in head.consenters.certificates, block, "has an author outside the set"
    )


def _carries_config(entries: tuple[bytes, ...]) -> bool:
    return len(entries) == 1 and is_configuration(entries[0])


def _check_contents(block: ReadBlock) -> None:
    _check_entries(block)
    _require(len(block.commit_hash) == HASH_BYTES, block, "lacks a commit hash")


def _check_entries(block: ReadBlock) -> None:
    data_hash = hashlib.sha256(b"".join(block.entries)).digest()
    _require(data_hash == block.data_hash, block, "has another data hash")
    _require(bool(block.entries), block, "is empty")
    _require(len(block.codes) == len(block.entries), block, "lacks validation codes")
    if block.number:
        root = merkle_root(block.entries)
        _require(root == block.transactions_root, block, "has another Merkle root")


def _check_seals(block: ReadBlock, consenters: Consenters, seal_is_good: SealCheck) -> None:
    """Distinct members of the set that signed this value and header; the value has the round."""
    good = set()
    for seal in block.seals:
        certificate = consenters.certificates.get(seal.consenter_id)
        _require(certificate is not None, block, f"is sealed by stranger {seal.consenter_id}")
        assert certificate is not None
        message = block.signed_value + seal.identifier_header + block.header_der
        is_good = seal_is_good(seal.consenter_id, certificate, message, seal.signature)
        _require(is_good, block, f"has a bad seal of {seal.consenter_id}")
        good.add(seal.consenter_id)
    needed = consenters.needed_seals
    _require(len(good) >= needed, block, f"has {len(good)} of {needed} seals")


def _next_head(head: ChainHead, block: ReadBlock) -> ChainHead:
    last_config, consenters = head.last_config, head.consenters
    for entry, code in zip(block.entries, block.codes, strict=True):
        if is_configuration(entry):
            _require(len(block.entries) == 1, block, "has a configuration among other entries")
            if code == VALID:
                last_config, consenters = block.number, consenters_of(entry)
    return ChainHead(
        number=block.number,
        block_hash=block.block_hash,
        block_time_ms=block.block_time_ms,
        commit_hash=block.commit_hash,
        last_config=last_config,
        consenters=consenters,
    )


def _require(holds: bool, block: ReadBlock, what: str) -> None:  # noqa: FBT001
    if not holds:
        raise ChainBroken(block.number, what)

"""A stored block, read from its bytes: what a verifier needs of it and no more.

The layout is Fabric's `common.Block`; slot 0 holds what the consenters signed (docs/wire.md).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.audit.wire_fields import BrokenBytes, Fields, read_fields
from ledger.audit.wire_writing import filled, message, numbered

METADATA_SLOTS = 5
CONFIG_TRANSACTION = 1
HASH_BYTES = 32
_DER_SHORT_LENGTH_MAX = 0x7F


@dataclass(frozen=True, slots=True)
class ReadSeal:
    """One consenter's signature; `consenter_id` is a claim until it verifies."""

    consenter_id: int
    identifier_header: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class ReadBlock:
    """A block; `signed_value` with one identifier header and `header_der` is what a seal signs."""

    number: int
    previous_hash: bytes
    data_hash: bytes
    entries: tuple[bytes, ...]
    signed_value: bytes
    seals: tuple[ReadSeal, ...]
    codes: bytes
    state_hash: bytes
    commit_hash: bytes
    last_config: int
    round: int
    proposer: int
    block_time_ms: int
    transactions_root: bytes
    validator_set_hash: bytes
    previous_commit_hash: bytes
    config_before: int

    @property
    def header_der(self) -> bytes:
        """The header as ASN.1 DER."""
        return header_der(self.number, self.previous_hash, self.data_hash)

    @property
    def block_hash(self) -> bytes:
        """What the next block names as its parent."""
        return hashlib.sha256(self.header_der).digest()

    @property
    def block_id(self) -> bytes:
        """What validators vote for: neither round nor seals are part of it."""
        return block_id(
            self.header_der,
            last_config=self.last_config,
            consenter_metadata=encode_consenter_metadata(
                proposer=self.proposer,
                block_time_ms=self.block_time_ms,
                transactions_root=self.transactions_root,
                validator_set_hash=self.validator_set_hash,
                previous_commit_hash=self.previous_commit_hash,
                config_before=self.config_before,
            ),
        )


def read_block(raw: bytes) -> ReadBlock:
    """Raises BrokenBytes."""
    block = read_fields(raw)
    header = block.message(1)
    slots = block.message(3).contents(1)
    if len(slots) != METADATA_SLOTS:
        raise BrokenBytes(f"{len(slots)} metadata slots")
    sealed = read_fields(slots[0])
    value = sealed.content(1)
    orderer = read_fields(value)
    metadata = orderer.message(2)
    return ReadBlock(
        number=header.number(1),
        previous_hash=header.content(2),
        data_hash=header.content(3),
        entries=block.message(2).contents(1),
        signed_value=value,
        seals=tuple(_seal(read_fields(seal)) for seal in sealed.contents(2)),
        codes=slots[2],
        state_hash=read_fields(slots[3]).content(1),
        commit_hash=read_fields(slots[4]).content(1),
        last_config=orderer.message(1).number(1),
        round=metadata.number(2),
        proposer=metadata.number(3),
        block_time_ms=metadata.number(4),
        transactions_root=metadata.content(5),
        validator_set_hash=metadata.content(6),
        previous_commit_hash=metadata.content(7),
        config_before=metadata.number(8),
    )


def _seal(fields: Fields) -> ReadSeal:
    identifier_header = fields.content(3)
    return ReadSeal(
        consenter_id=read_fields(identifier_header).number(1),
        identifier_header=identifier_header,
        signature=fields.content(2),
    )


def header_der(number: int, previous_hash: bytes, data_hash: bytes) -> bytes:
    """SEQUENCE { INTEGER number, OCTET STRING previous_hash, OCTET STRING data_hash }."""
    magnitude = number.to_bytes((number.bit_length() + 8) // 8, "big")
    content = b"".join(
        bytes((tag, len(part))) + part
        for tag, part in ((2, magnitude), (4, previous_hash), (4, data_hash))
    )
    if len(content) > _DER_SHORT_LENGTH_MAX:
        raise BrokenBytes(f"a header of {len(content)} bytes")
    return bytes((0x30, len(content))) + content


def block_id(header: bytes, *, last_config: int, consenter_metadata: bytes) -> bytes:
    """SHA-256 over DER header and the signed value with round 0."""
    value = message(1, numbered(1, last_config)) + message(2, consenter_metadata)
    return hashlib.sha256(header + value).digest()


def encode_consenter_metadata(
    *,
    proposer: int,
    block_time_ms: int,
    transactions_root: bytes,
    validator_set_hash: bytes,
    previous_commit_hash: bytes,
    config_before: int,
) -> bytes:
    """The consenter metadata as it stands in a proposal: version 1, round 0."""
    return b"".join(
        (
            numbered(1, 1),
            numbered(3, proposer),
            numbered(4, block_time_ms),
            filled(5, transactions_root),
            filled(6, validator_set_hash),
            filled(7, previous_commit_hash),
            numbered(8, config_before),
        )
    )


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written there: split at the largest power of two."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    left, right = merkle_root(leaves[:split]), merkle_root(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()

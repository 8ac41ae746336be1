"""Block verification as a Fabric 3 peer does it: chain, data hash, BFT signatures, updates."""

import copy
import hashlib

from fabric_protos.common import common_pb2, configtx_pb2
from fabric_protos.msp import identities_pb2

from tests.follower.channel_config import BLOCK_VALIDATION, ChannelConfig
from tests.follower.config_updates import next_config
from tests.follower.refusal import Refused, require
from tests.follower.transactions import check_codes, opened

METADATA_SLOTS = 5
SIGNATURES, TRANSACTIONS_FILTER = 0, 2


class BlockVerifier:
    """What a peer knows after the last block it accepted; the first one it is given it trusts."""

    def __init__(self, genesis_raw: bytes) -> None:
        genesis = common_pb2.Block.FromString(genesis_raw)
        require(genesis.header.number == 0, "the first block is not block 0")
        require(not genesis.header.previous_hash, "a genesis block follows no other")
        require(data_hash(genesis.data) == genesis.header.data_hash, "genesis: data hash")
        require(is_config(genesis), "the genesis block carries no configuration")
        payload, header = opened(genesis.data.data[0])
        envelope = configtx_pb2.ConfigEnvelope.FromString(payload.data)
        self.config = ChannelConfig(header.channel_id, envelope.config)
        self.last_config = 0
        self._accept(genesis.header)

    @property
    def height(self) -> int:
        """Number of the block that must come next."""
        return self._number + 1

    def clone(self) -> "BlockVerifier":
        """One that goes on from here by itself."""
        return copy.copy(self)

    def accept(self, block: common_pb2.Block) -> tuple[int, ...]:
        """Verify a whole block and take it; the consenters whose signatures count."""
        self._check_place(block)
        self._check_well_formed(block.data)
        require(data_hash(block.data) == block.header.data_hash, "Header.DataHash differs")
        signers = self._check_signatures(block)
        check_codes(block, self.config)
        if is_config(block):
            payload, header = opened(block.data.data[0])
            require(header.channel_id == self.config.channel_id, "another channel's config block")
            self.config = next_config(self.config, payload.data)
            self.last_config = block.header.number
        require(_last_config(block) == self.last_config, "last_config names another block")
        self._accept(block.header)
        return signers

    def accept_attestation(self, block: common_pb2.Block) -> tuple[int, ...]:
        """A block without its entries; one that changes the configuration comes whole."""
        if is_config(block):
            return self.accept(block)
        require(not block.data.data, "an attestation with data")
        self._check_place(block)
        signers = self._check_signatures(block)
        self._accept(block.header)
        return signers

    def _accept(self, header: common_pb2.BlockHeader) -> None:
        self._number = header.number
        self._hash = hashlib.sha256(header_der(header)).digest()

    def _check_place(self, block: common_pb2.Block) -> None:
        require(block.HasField("header"), "no header")
        number = block.header.number
        require(number == self.height, f"expected block {self.height}, got {number}")
        require(block.header.previous_hash == self._hash, "Header.PreviousHash differs")
        slots = len(block.metadata.metadata)
        require(slots >= METADATA_SLOTS, f"{slots} metadata slots")

    def _check_well_formed(self, data: common_pb2.BlockData) -> None:
        require(data.data, "an empty block")
        if _carries_config(data):
            return
        for index, raw in enumerate(data.data):
            envelope = common_pb2.Envelope.FromString(raw)
            require(envelope.payload, f"transaction {index} has no payload")
            require(envelope.signature, f"transaction {index} has no signature")
            same = envelope.SerializeToString() == raw
            require(same, f"transaction {index} does not match its raw form")

    def _check_signatures(self, block: common_pb2.Block) -> tuple[int, ...]:
        metadata = common_pb2.Metadata.FromString(block.metadata.metadata[SIGNATURES])
        identities = {one.id: _identity(one) for one in self.config.consenters}
        signed, ids = [], []
        for one in metadata.signatures:
            require(not one.signature_header, "a BFT signature has an empty signature header")
            consenter = common_pb2.IdentifierHeader.FromString(one.identifier_header).identifier
            if consenter in identities:
                message = metadata.value + one.identifier_header + header_der(block.header)
                signed.append((identities[consenter], message, one.signature))
                ids.append(consenter)
        signers = self.config.memberships.signers(signed)
        satisfied = self.config.policies.is_satisfied(BLOCK_VALIDATION, signers)
        require(satisfied, "signature set did not satisfy policy BlockValidation")
        return tuple(sorted(ids))


def is_config(block: common_pb2.Block) -> bool:
    """Whether its one entry is a CONFIG transaction."""
    return _carries_config(block.data)


def _carries_config(data: common_pb2.BlockData) -> bool:
    if len(data.data) != 1:
        return False
    try:
        _, header = opened(data.data[0])
    except Refused:
        return False
    return header.type == common_pb2.CONFIG


def _last_config(block: common_pb2.Block) -> int:
    metadata = common_pb2.Metadata.FromString(block.metadata.metadata[SIGNATURES])
    ordering = common_pb2.OrdererBlockMetadata.FromString(metadata.value)
    require(ordering.HasField("last_config"), "no last_config")
    return ordering.last_config.index


def _identity(consenter) -> bytes:
    identity = identities_pb2.SerializedIdentity(
        mspid=consenter.msp_id, id_bytes=consenter.identity
    )
    return identity.SerializeToString()


def data_hash(data: common_pb2.BlockData) -> bytes:
    """SHA-256 of the entries one after another."""
    return hashlib.sha256(b"".join(data.data)).digest()


def header_der(header: common_pb2.BlockHeader) -> bytes:
    """SEQUENCE { INTEGER number, OCTET STRING previous_hash, OCTET STRING data_hash }."""
    number = header.number.to_bytes(header.number.bit_length() // 8 + 1, "big")
    body = _der(0x02, number) + _der(0x04, header.previous_hash) + _der(0x04, header.data_hash)
    return _der(0x30, body)


def _der(tag: int, content: bytes) -> bytes:
    assert len(content) < 128, "hashes and a number fit the short form"
    return bytes((tag, len(content))) + content

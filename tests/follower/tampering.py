"""One changed byte at a time: which changes of a block a verifier does not notice."""

from collections.abc import Iterator

from fabric_protos.common import common_pb2
from google.protobuf.message import DecodeError

from tests.follower.blocks import SIGNATURES, BlockVerifier
from tests.follower.refusal import Refused

DATA_STEP_BYTES = 7
"""Every so many bytes of the entries; of everything else each byte is changed."""


def unnoticed(
    before: BlockVerifier, block: common_pb2.Block, quorum: int
) -> tuple[int, list[str]]:
    """How many changes were tried on the block with just a quorum's seals, and which passed."""
    least = _with_seals(block, quorum)
    before.clone().accept(least)
    tried, passed = 0, []
    for what, changed in _changes(least):
        tried += 1
        try:
            before.clone().accept(changed)
        except (Refused, DecodeError):
            continue
        passed.append(what)
    return tried, passed


def _with_seals(block: common_pb2.Block, count: int) -> common_pb2.Block:
    changed = _copy(block)
    metadata = common_pb2.Metadata.FromString(block.metadata.metadata[SIGNATURES])
    del metadata.signatures[count:]
    changed.metadata.metadata[SIGNATURES] = metadata.SerializeToString()
    return changed


def _changes(block: common_pb2.Block) -> Iterator[tuple[str, common_pb2.Block]]:
    for name in ("previous_hash", "data_hash"):
        for index, raw in _flipped(getattr(block.header, name)):
            changed = _copy(block)
            setattr(changed.header, name, raw)
            yield f"{name}[{index}]", changed
    changed = _copy(block)
    changed.header.number += 1
    yield "number", changed
    for entry, content in enumerate(block.data.data):
        for index, raw in _flipped(content, DATA_STEP_BYTES):
            changed = _copy(block)
            changed.data.data[entry] = raw
            yield f"data[{entry}][{index}]", changed
    for index, raw in _flipped(block.metadata.metadata[SIGNATURES]):
        changed = _copy(block)
        changed.metadata.metadata[SIGNATURES] = raw
        yield f"signatures[{index}]", changed


def _flipped(content: bytes, step: int = 1) -> Iterator[tuple[int, bytes]]:
    for index in range(0, len(content), step):
        yield index, content[:index] + bytes((content[index] ^ 1,)) + content[index + 1 :]


def _copy(block: common_pb2.Block) -> common_pb2.Block:
    copy = common_pb2.Block()
    copy.CopyFrom(block)
    return copy

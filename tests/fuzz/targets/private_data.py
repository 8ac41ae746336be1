"""Private data: definitions of collections, and what other peers send and ask for."""

import asyncio
from functools import cache

from ledger.crypto.collections_text import COLLECTIONS_TEXT_MAX, parse_collections
from ledger.crypto.hashing import sha256
from ledger.crypto.policy_text import parse_policy
from ledger.model.codec_parsing import parse_message
from ledger.model.private_collections import Collection, encode_collections, static_collections
from ledger.model.private_rwset import (
    PRIVATE_BYTES_MAX,
    PrivateReadWriteSet,
    decode_private_read_write_set,
    encode_private_read_write_set,
    encode_private_writes,
)
from ledger.model.rwset import CollectionReadWriteSet, HashedMetadataWrite, HashedWrite, KeyWrite
from ledger.validation.private_hashes import require_hashed
from ledger.wire.validator_pb2 import PrivateDataRequest
from tests.fuzz.engine import FuzzTarget, Shape
from tests.support.ledger_world import CHAINCODE
from tests.support.private_stage import PrivateStage

MEMBERS = "OR('CoopMSP.member', 'MunicipalityMSP.member')"
WRITES = (KeyWrite("a", b"1"), KeyWrite("b", b"", is_delete=True))
PRICES = Collection("prices", parse_policy(MEMBERS), maximum_peer_count=2, block_to_live=9)
TEXT = (
    '[{"name": "prices", "policy": "' + MEMBERS + '", "requiredPeerCount": 0,'
    ' "maxPeerCount": 1, "blockToLive": 3, "memberOnlyRead": true, "memberOnlyWrite": false,'
    ' "endorsementPolicy": {"signaturePolicy": "OR(\'CoopMSP.peer\')"}}]'
)
REQUEST_BYTES_MAX = 64 * 1024


@cache
def stage() -> PrivateStage:
    """Two members that hold a private value."""

    async def play() -> PrivateStage:
        made = PrivateStage()
        made.define(PRICES)
        made.commit(await made.endorse(lambda s: s.private.put(CHAINCODE, "prices", "a", b"1")))
        return made

    return asyncio.run(play())


def _sets() -> list[bytes]:
    work = stage().simulate(lambda s: s.private.put(CHAINCODE, "prices", "a", b"1"))
    return [encode_private_read_write_set(one) for one in (work[2], PrivateReadWriteSet())]


def _set(raw: bytes) -> None:
    understood = decode_private_read_write_set(raw)
    assert decode_private_read_write_set(encode_private_read_write_set(understood)) == understood


def _hashed() -> CollectionReadWriteSet:
    return CollectionReadWriteSet(
        collection="prices",
        hashed_reads=(),
        hashed_writes=(
            HashedWrite(sha256(b"a"), sha256(b"1")),
            HashedWrite(sha256(b"b"), b"", is_delete=True),
        ),
        private_rwset_hash=b"",
        hashed_metadata_writes=(HashedMetadataWrite(sha256(b"c"), ()),),
    )


def _writes(raw: bytes) -> None:
    """Whatever passes is of the ledger's keys and values."""
    accepted = require_hashed(raw, _hashed())
    found = {write.key: b"" if write.is_delete else write.value for write in accepted.writes}
    assert found.items() <= {"a": b"1", "b": b""}.items()
    assert set(accepted.metadata_keys) <= {"c"}


def _collections(raw: bytes) -> None:
    found = static_collections(raw)
    assert static_collections(encode_collections(found.values())) == found


def _requests() -> list[bytes]:
    page = PrivateDataRequest(request_id=1)
    page.page.namespace, page.page.collection = CHAINCODE, "prices"
    sets = PrivateDataRequest(request_id=2)
    sets.wanted.add(block_number=2, tx_id="ab" * 32, namespace=CHAINCODE, collection="prices")
    return [page.SerializeToString(), sets.SerializeToString()]


def _request(raw: bytes) -> str:
    """A peer that is no member never gets a value."""
    request = parse_message(PrivateDataRequest, raw)
    holder, member, stranger = stage().peers[1], 2, 3
    nothing = holder.requests.answer(stranger, request)
    assert not nothing.found
    assert not nothing.values
    found = holder.requests.answer(member, request)
    return "found" if found.found or found.values else "nothing"


TARGETS = (
    FuzzTarget(
        "private-sets", "private writes of a transaction", _sets, lambda: _set, PRIVATE_BYTES_MAX
    ),
    FuzzTarget(
        "private-writes",
        "private writes, compared with the ledger's hashes",
        lambda: [encode_private_writes(WRITES, ["c"]), encode_private_writes(WRITES[:1], [])],
        lambda: _writes,
        PRIVATE_BYTES_MAX,
    ),
    FuzzTarget(
        "private-request",
        "another peer asks for private data",
        _requests,
        lambda: _request,
        REQUEST_BYTES_MAX,
    ),
    FuzzTarget(
        "collections",
        "collections as definitions carry them",
        lambda: [encode_collections([PRICES]), b""],
        lambda: _collections,
        256 * 1024,
    ),
    FuzzTarget(
        "collections-text",
        "collections as people write them",
        lambda: [TEXT.encode()],
        lambda: lambda raw: parse_collections(raw.decode("utf-8", "replace")),
        COLLECTIONS_TEXT_MAX,
        shape=Shape.TEXT,
        dictionary=(
            '"name"',
            '"policy"',
            "[",
            "]",
            "{",
            "}",
            "null",
            "1e9",
            "-1",
            '"blockToLive"',
        ),
    ),
)

"""Private writes on the wire."""

import pytest

from ledger.errors import InvalidMessage, Reason
from ledger.model import private_rwset
from ledger.model.private_rwset import (
    PrivateCollectionSet,
    PrivateReadWriteSet,
    PrivateWrites,
    decode_private_read_write_set,
    decode_private_writes,
    encode_private_read_write_set,
    encode_private_writes,
)
from ledger.model.rwset import KeyWrite
from ledger.wire import rwset_pb2


def sets(*places):
    return PrivateReadWriteSet(tuple(PrivateCollectionSet(*place, b"raw") for place in places))


def test_sets_of_one_namespace_stand_together_and_come_back():
    private = sets(("market", "a"), ("market", "b"), ("tokens", "a"))
    raw = encode_private_read_write_set(private)
    assert decode_private_read_write_set(raw) == private
    wire = rwset_pb2.TxPvtReadWriteSet.FromString(raw)
    assert [ns.namespace for ns in wire.ns_pvt_rwset] == ["market", "tokens"]


def test_writes_come_back():
    writes = (KeyWrite("a", b"1"), KeyWrite("b", b"", is_delete=True))
    raw = encode_private_writes(writes, ["c"])
    assert decode_private_writes(raw) == PrivateWrites(writes, ("c",))


@pytest.mark.parametrize(
    ("private", "reason"),
    [
        (sets(("market", "a"), ("market", "a")), Reason.MALFORMED),
        (sets(("market", "a" * 256)), Reason.OVERSIZED),
        (sets(*(("market", str(n)) for n in range(1_001))), Reason.OVERSIZED),
    ],
)
def test_what_no_peer_sends_is_refused(private, reason):
    with pytest.raises(InvalidMessage) as refused:
        decode_private_read_write_set(encode_private_read_write_set(private))
    assert refused.value.reason is reason


def test_too_many_writes_and_broken_bytes(monkeypatch):
    monkeypatch.setattr(private_rwset, "RWSET_ENTRIES_MAX", 1)
    raw = encode_private_writes([KeyWrite("a", b"1")], ["b"])
    with pytest.raises(InvalidMessage, match="OVERSIZED"):
        decode_private_writes(raw)
    for decode in (decode_private_writes, decode_private_read_write_set):
        with pytest.raises(InvalidMessage, match="MALFORMED"):
            decode(b"\xff")

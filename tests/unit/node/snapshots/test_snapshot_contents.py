"""What stands in a snapshot and how its file is built: each lie and each damage has a name."""

import struct
from dataclasses import replace

import pytest

from ledger.model.rwset import Version
from ledger.storage import keyspace
from ledger.storage.keyspace import TxLocation
from ledger.storage.snapshot_errors import SnapshotProblem as Problem
from ledger.storage.snapshot_file import (
    FRAME_BYTES_MAX,
    MAGIC,
    Counts,
    FrameKind,
    decode_end,
    decode_records,
)
from tests.support.config_world import ConfigWorld
from tests.support.ledger_world import LedgerWorld
from tests.support.snapshot_world import (
    RECORD_LENGTHS,
    Forger,
    end,
    filled,
    frames_of,
    problem,
    reconfigured,
    records,
    snapshot_of,
    written,
)


@pytest.fixture(scope="module")
def world() -> LedgerWorld:
    return filled(LedgerWorld())


@pytest.fixture(scope="module")
def raw(world) -> bytes:
    return snapshot_of(world)


@pytest.fixture(scope="module")
def changed_world() -> ConfigWorld:
    return reconfigured()


# -- what is in it --------------------------------------------------------------------------------


def test_any_other_value_is_another_state(world, raw):
    def pairs(payload):
        return list(decode_records(payload))

    def forged(change):
        return Forger(raw).with_frame(FrameKind.STATE, lambda p: records(*change(pairs(p))))

    def rewritten(pair, **parts):
        found = replace(keyspace.decode_state(pair[1]), **parts)
        return pair[0], keyspace.encode_state(found.value, found.version, found.metadata)

    for lie in (
        lambda p: [rewritten(p[0], value=b"mine"), *p[1:]],
        lambda p: [rewritten(p[0], version=Version(1, 0)), *p[1:]],
        lambda p: [rewritten(p[0], metadata=(("n", b"m"),)), *p[1:]],
        lambda p: [(p[0][0] + b"x", p[0][1]), *p[1:]],
    ):
        assert problem(forged(lie), world) is Problem.OTHER_STATE
    assert problem(forged(lambda p: [rewritten(p[0], version=Version(4, 0)), *p[1:]]), world) is (
        Problem.BEYOND_ITS_HEIGHT
    )


def test_hidden_and_invented_transaction_ids_are_noticed(world, raw):
    """A snapshot that hides an id would let the joined peer accept it again."""
    counts = Counts(0, 2, 8)

    def hidden(frames):
        return [
            (kind, records(*list(decode_records(payload))[1:]))
            if kind is FrameKind.TRANSACTIONS
            else (kind, end(0, 2, 8) if kind is FrameKind.END else payload)
            for kind, payload in frames
        ]

    forged = Forger(raw).with_frames(hidden)
    assert decode_end(frames_of(forged)[-1][1]) == counts
    assert problem(forged, world) is Problem.OTHER_STATE

    def moved(payload):
        (key, value), *others = decode_records(payload)
        place = replace(keyspace.decode_location(value), tx_index=77)
        return records((key, keyspace.encode_location(place)), *others)

    assert problem(Forger(raw).with_frame(FrameKind.TRANSACTIONS, moved), world) is (
        Problem.OTHER_STATE
    )

    def beyond(payload):
        (key, value), *others = decode_records(payload)
        place = TxLocation(4, 0, keyspace.decode_location(value).code)
        return records((key, keyspace.encode_location(place)), *others)

    assert problem(Forger(raw).with_frame(FrameKind.TRANSACTIONS, beyond), world) is (
        Problem.BEYOND_ITS_HEIGHT
    )


def test_keys_ascend_and_stand_once(world, raw):
    """65,536 copies of one element would cancel out in the digest."""

    def forged(change):
        return Forger(raw).with_frame(
            FrameKind.STATE, lambda payload: records(*change(list(decode_records(payload))))
        )

    assert problem(forged(lambda p: [p[0], *p]), world) is Problem.OUT_OF_ORDER
    assert problem(forged(lambda p: p[::-1]), world) is Problem.OUT_OF_ORDER
    again = Forger(raw).with_frames(
        lambda f: [one for one in f for _ in range(2 if one[0] is FrameKind.STATE else 1)]
    )
    assert problem(again, world) is Problem.OUT_OF_ORDER


@pytest.mark.parametrize(
    "record",
    [
        (b"S", b""),
        (b"S\xff\xff", b"\0" * 20),
        (b"S\x00\x01\xff", b"\0" * 20),
        (b"T" + b"a", b"\0" * 14),
        (b"S\x00\x06marketzz", b"\0"),
        (b"S\x00\x06marketzz", b"\0" * 12 + b"\xff\xff" + b"\0" * 4),
    ],
)
def test_records_that_do_not_parse(world, raw, record):
    forged = Forger(raw).with_frame(FrameKind.STATE, lambda _: records(record))
    assert problem(forged, world) is Problem.DAMAGED


@pytest.mark.parametrize("record", [(b"T\xff", bytes(13)), (b"Tid", b""), (b"Sid", bytes(13))])
def test_transaction_records_that_do_not_parse(world, raw, record):
    forged = Forger(raw).with_frame(FrameKind.TRANSACTIONS, lambda _: records(record))
    assert problem(forged, world) is Problem.DAMAGED


def test_counts_must_be_right(world, raw):
    for counts in (end(0, 3, 9), end(1, 2, 9), end(0, 2, 10), end(2**63, 2**63, 2**63)):
        forged = Forger(raw).with_frames(
            lambda f, counts=counts: [*f[:-1], (FrameKind.END, counts)]
        )
        assert problem(forged, world) is Problem.WRONG_COUNT
    empty = Forger(raw).with_frame(FrameKind.STATE, lambda _: b"")
    assert problem(empty, world) is Problem.WRONG_COUNT


# -- the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FrameKind.HEAD, Problem.OUT_OF_ORDER),
        (FrameKind.BLOCK, Problem.OUT_OF_ORDER),
        (FrameKind.NEXT, Problem.OUT_OF_ORDER),
        (FrameKind.STATE, Problem.WRONG_COUNT),
        (FrameKind.TRANSACTIONS, Problem.WRONG_COUNT),
        (FrameKind.END, Problem.TRUNCATED),
    ],
)
def test_a_missing_part_is_named(world, raw, kind, expected):
    assert problem(Forger(raw).without(kind), world) is expected


def test_a_part_that_comes_twice_or_too_early_is_named(world, raw):
    frames = frames_of(raw)
    for place in range(3):
        twice = written([*frames[: place + 1], *frames[place:]])
        assert problem(twice, world) is Problem.OUT_OF_ORDER
    swapped = written([frames[0], frames[2], frames[1], *frames[3:]])
    assert problem(swapped, world) is Problem.OUT_OF_ORDER


def test_cut_anywhere_it_is_named_truncated(world, raw):
    """`tests/fuzz` tries every place there is; here are some."""
    cuts = {0, 1, *range(0, len(raw), 211), *range(len(raw) - 30, len(raw))}
    for cut in sorted(cuts):
        assert problem(raw[:cut], world) is Problem.TRUNCATED, cut


def test_a_changed_byte_anywhere_is_noticed(world, raw):
    for place in {*range(30), *range(0, len(raw), 149), *range(len(raw) - 30, len(raw))}:
        changed = bytearray(raw)
        changed[place] ^= 0x10
        assert isinstance(problem(bytes(changed), world), Problem), place


def test_other_files_and_other_versions(world, raw):
    assert problem(b"-----BEGIN CERTIFICATE-----" + raw, world) is Problem.NOT_A_SNAPSHOT
    later = MAGIC + struct.pack(">I", 2) + raw[len(MAGIC) + 4 :]
    assert problem(later, world) is Problem.UNKNOWN_VERSION
    assert problem(raw + b"\0", world) is Problem.MORE_AFTER_THE_END


def test_a_length_is_judged_before_it_is_read(world, raw):
    head = MAGIC + struct.pack(">I", 1)
    long_frame = head + struct.pack(">BI", 1, FRAME_BYTES_MAX + 1)
    assert problem(long_frame, world) is Problem.OVERSIZED
    claimed = head + struct.pack(">BI", 1, FRAME_BYTES_MAX) + b"short"
    assert problem(claimed, world) is Problem.TRUNCATED
    long_key = Forger(raw).with_frame(
        FrameKind.STATE, lambda _: RECORD_LENGTHS.pack(2**31, 0) + b"x"
    )
    assert problem(long_key, world) is Problem.DAMAGED
    long_record = Forger(raw).with_frame(
        FrameKind.STATE, lambda _: RECORD_LENGTHS.pack(9, 2**31) + b"x"
    )
    assert problem(long_record, world) is Problem.DAMAGED

"""What every key-value store must do; an adapter's test class inherits it and gives `store`."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledger.errors import NodeFault

KEYS = st.binary(min_size=1, max_size=3)
CHANGES = st.lists(st.tuples(KEYS, st.none() | st.binary(max_size=4)), max_size=12)


class KeyValueStoreSuite:
    def test_reads_what_was_written(self, store):
        store.write([(b"a", b"1"), (b"b", b"")], sync=True)
        assert store.get(b"a") == b"1"
        assert store.get(b"b") == b""
        assert store.get(b"c") is None

    def test_a_batch_applies_in_order(self, store):
        store.write([(b"a", b"1"), (b"a", None), (b"b", None), (b"b", b"2")], sync=False)
        assert list(store.iterate(b"", b"\xff")) == [(b"b", b"2")]

    def test_deleting_an_absent_key_is_no_error(self, store):
        store.write([(b"never", None)], sync=True)
        assert store.get(b"never") is None

    def test_scans_half_open_ranges_both_ways(self, store):
        store.write([(bytes([byte]), b"") for byte in range(5)], sync=True)
        forward = [key for key, _ in store.iterate(b"\x01", b"\x04")]
        assert forward == [b"\x01", b"\x02", b"\x03"]
        backward = [key for key, _ in store.iterate(b"\x01", b"\x04", reverse=True)]
        assert backward == forward[::-1]

    def test_an_empty_or_reversed_range_has_nothing(self, store):
        store.write([(b"a", b""), (b"b", b"")], sync=True)
        assert list(store.iterate(b"a", b"a")) == []
        assert list(store.iterate(b"b", b"a")) == []
        assert list(store.iterate(b"x", b"z")) == []

    def test_orders_bytes_not_lengths(self, store):
        store.write([(b"\xff", b""), (b"a\x00", b""), (b"a", b""), (b"aa", b"")], sync=True)
        assert [key for key, _ in store.iterate(b"", b"\xff\xff")] == [
            b"a",
            b"a\x00",
            b"aa",
            b"\xff",
        ]

    def test_a_snapshot_does_not_change(self, store):
        store.write([(b"a", b"1"), (b"b", b"1")], sync=True)
        before = store.snapshot()
        store.write([(b"a", b"2"), (b"b", None), (b"c", b"2")], sync=True)
        assert list(before.iterate(b"", b"\xff")) == [(b"a", b"1"), (b"b", b"1")]
        assert before.get(b"c") is None
        assert store.snapshot().get(b"a") == b"2"

    def test_a_scan_sees_one_moment(self, store):
        store.write([(b"a", b"1"), (b"c", b"1")], sync=True)
        pairs = store.snapshot().iterate(b"", b"\xff")
        assert next(pairs) == (b"a", b"1")
        store.write([(b"b", b"2"), (b"c", b"2")], sync=True)
        assert list(pairs) == [(b"c", b"1")]

    def test_a_closed_store_refuses(self, store):
        store.write([(b"a", b"1")], sync=True)
        store.close()
        with pytest.raises(NodeFault):
            store.get(b"a")
        with pytest.raises(NodeFault):
            store.write([(b"a", b"2")], sync=True)
        with pytest.raises(NodeFault):
            list(store.iterate(b"", b"\xff"))
        with pytest.raises(NodeFault):
            store.snapshot()

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,
        ],
    )
    @given(batches=st.lists(CHANGES, max_size=4), start=KEYS, stop=KEYS)
    @example(batches=[[(b"\x00", b"")]], start=b"\x00", stop=b"\x01")  # once found nothing
    def test_equals_a_sorted_dictionary(self, store, batches, start, stop):
        expected: dict[bytes, bytes] = {}
        store.write([(key, None) for key, _ in list(store.iterate(b"", b"\xff" * 4))], sync=False)
        for batch in batches:
            store.write(batch, sync=False)
            for key, value in batch:
                expected.pop(key, None)
                if value is not None:
                    expected[key] = value
        in_range = sorted(pair for pair in expected.items() if start <= pair[0] < stop)
        assert list(store.iterate(start, stop)) == in_range
        assert list(store.iterate(start, stop, reverse=True)) == in_range[::-1]

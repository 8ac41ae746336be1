"""What a simulation records: the read-write set is the transaction's whole effect."""

import pytest

from ledger.endorsement.limits import SimulationLimits
from ledger.endorsement.simulation.simulator import SimulationRefused
from ledger.model.codec_rwset import encode_read_write_set
from ledger.model.codes import ValidationCode
from ledger.model.rwset import KeyRead, KeyWrite, MetadataWrite, NamespaceReadWriteSet, Version
from tests.support.endorsing_world import EndorsingWorld
from tests.support.ledger_world import CHAINCODE, market, put

NS = CHAINCODE


@pytest.fixture
def world():
    world = EndorsingWorld()
    world.commit(world.transaction(market(writes=[put(f"k{n:03}") for n in range(120)])))
    return world


def simulator(world, **limits):
    return world.simulator(world.propose("run"), SimulationLimits(**limits))


def only(simulation) -> NamespaceReadWriteSet:
    (namespace,) = simulation.results().namespaces
    return namespace


def test_reads_are_recorded_once_with_versions_in_key_order(world):
    simulation = simulator(world)
    assert simulation.get_state(NS, "k001") == b"v"
    assert simulation.get_state(NS, "absent") == b""
    assert simulation.get_state(NS, "k001") == b"v"
    assert only(simulation).reads == (
        KeyRead("absent", None),
        KeyRead("k001", Version(1, 0)),
    )


def test_a_write_is_not_read_back_and_the_last_one_counts(world):
    simulation = simulator(world)
    simulation.put_state(NS, "k001", b"first")
    simulation.put_state(NS, "k001", b"second")
    assert simulation.get_state(NS, "k001") == b"v"
    assert only(simulation).writes == (KeyWrite("k001", b"second"),)


def test_an_empty_value_is_a_delete(world):
    simulation = simulator(world)
    simulation.put_state(NS, "k001", b"")
    assert only(simulation).writes == (KeyWrite("k001", b"", is_delete=True),)


def test_keys_are_sorted_by_their_bytes(world):
    simulation = simulator(world)
    keys = ["é", "z", "\U0001f600", "\x00a\x00", "\uffff", "B", "a"]
    for key in keys:
        simulation.put_state(NS, key, b"1")
    written = [write.key for write in only(simulation).writes]
    assert written == sorted(keys, key=str.encode)


def test_namespaces_are_sorted_and_untouched_ones_are_absent(world):
    simulation = simulator(world)
    simulation.put_state("zebra", "k", b"1")
    simulation.read_definition("market")
    simulation.get_state("alpha", "k")
    assert [n.namespace for n in simulation.results().namespaces] == [
        "_lifecycle",
        "alpha",
        "zebra",
    ]
    lifecycle = simulation.results().namespaces[0]
    assert lifecycle.reads == (KeyRead("namespaces/fields/market/Sequence", None),)


def read_rows(scan, count):
    return [scan.next_row()[0] for _ in range(count)]


def test_a_scan_read_to_its_end_is_exhausted(world):
    simulation = simulator(world)
    scan = simulation.scan(NS, "k010", "k013")
    assert read_rows(scan, 3) == ["k010", "k011", "k012"]
    assert scan.next_row() is None
    (query,) = only(simulation).range_queries
    assert (query.start_key, query.end_key, query.exhausted) == ("k010", "k013", True)
    assert [read.key for read in query.reads] == ["k010", "k011", "k012"]
    assert query.summary is None


def test_a_scan_left_early_ends_at_the_last_row_read(world):
    simulation = simulator(world)
    read_rows(simulation.scan(NS, "k010", "k090"), 2)
    (query,) = only(simulation).range_queries
    assert (query.start_key, query.end_key, query.exhausted) == ("k010", "k011", False)
    assert len(query.reads) == 2


@pytest.mark.parametrize("rows", [51, 120])
def test_a_long_scan_is_summarised_and_still_guards_against_phantoms(world, rows):
    simulation = simulator(world)
    scan = simulation.scan(NS, "k000", "l")
    read_rows(scan, rows)
    if rows == 120:
        assert scan.next_row() is None
    simulation.put_state(NS, "sum", b"1")
    (query,) = only(simulation).range_queries
    assert query.reads == ()
    assert query.summary is not None
    entry = world.transaction(simulation.results())
    assert world.codes(entry) == (ValidationCode.VALID,)
    world.commit(world.transaction(market(writes=[put("k0305")])))
    assert world.codes(entry) == (ValidationCode.PHANTOM_READ_CONFLICT,)


def test_a_row_behind_an_early_end_is_no_phantom(world):
    simulation = simulator(world)
    read_rows(simulation.scan(NS, "k000", "l"), 2)
    entry = world.transaction(simulation.results())
    world.commit(world.transaction(market(writes=[put("k0305")])))
    assert world.codes(entry) == (ValidationCode.VALID,)


def test_an_open_scan_without_rows_guards_nothing(world):
    simulation = simulator(world)
    simulation.scan(NS, "k000", "l")
    entry = world.transaction(simulation.results())
    world.commit(world.transaction(market(writes=[put("k0305")])))
    assert world.codes(entry) == (ValidationCode.VALID,)


def test_metadata_is_read_with_its_key_and_merged(world):
    first = simulator(world)
    first.put_metadata(NS, "k001", "VALIDATION_PARAMETER", b"policy")
    assert world.commit(world.transaction(first.results())) == (ValidationCode.VALID,)
    second = simulator(world)
    second.put_metadata(NS, "k001", "OTHER", b"x")
    namespace = only(second)
    assert namespace.metadata_writes == (
        MetadataWrite("k001", (("OTHER", b"x"), ("VALIDATION_PARAMETER", b"policy"))),
    )
    assert namespace.reads == (KeyRead("k001", Version(2, 0)),)


def do_everything_ten_times(simulation):
    for n in range(10):
        simulation.get_state(NS, f"k{n:03}")
        simulation.put_state(NS, f"k{n:03}", b"123")
        simulation.scan(NS, "a", "b")


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"reads_max": 3}, "more than 3 keys read"),
        ({"writes_max": 3}, "more than 3 writes"),
        ({"write_bytes_max": 10}, "more than 10 bytes written"),
        ({"range_queries_max": 3}, "more than 3 range queries"),
    ],
)
def test_each_limit_has_its_own_refusal(world, limits, text):
    simulation = simulator(world, **limits)
    with pytest.raises(SimulationRefused, match=text):
        do_everything_ten_times(simulation)


def test_rows_of_a_scan_count_as_reads(world):
    scan = simulator(world, reads_max=5).scan(NS, "k000", "l")
    with pytest.raises(SimulationRefused, match="more than 5 keys read"):
        read_rows(scan, 6)


def test_an_empty_key_is_refused(world):
    with pytest.raises(SimulationRefused, match="must not be empty"):
        simulator(world).put_state(NS, "", b"1")


def test_the_order_of_calls_does_not_change_the_bytes(world):
    forward, backward = simulator(world), simulator(world)
    keys = [f"k{n:03}" for n in range(20)]
    for simulation, order in ((forward, keys), (backward, keys[::-1])):
        for key in order:
            simulation.get_state(NS, key)
            simulation.put_state(NS, key, b"1")
    assert encode_read_write_set(forward.results()) == encode_read_write_set(backward.results())


def test_a_fresh_simulation_remembers_nothing(world):
    simulation = simulator(world)
    simulation.put_state(NS, "k", b"1")
    assert simulation.fresh().results().namespaces == ()

"""The read model is the ledger in tables: whole blocks, one height, the same after a rebuild."""

import threading

import pytest
from sqlalchemy import select

from chaincode.energy import keys
from chaincode.energy.records import encode
from gateway.readmodel import ledger_queries, market_queries
from gateway.readmodel.projector import BlockMissing, Projector
from gateway.readmodel.records import Found, Position
from gateway.readmodel.tables import READ_MODEL, Progress
from ledger.model.codes import ValidationCode
from tests.unit.gateway.ledger_double import CHAINCODE
from tests.unit.gateway.readmodel_blocks import (
    HOME,
    HOUR,
    HOUR_MS,
    OTHER_HOME,
    Ledger,
    a_cancellation,
    a_line,
    a_listing,
    an_order,
)


def contents(ledger: Ledger) -> dict[str, list[tuple]]:
    with ledger.database.reading() as connection:
        return {
            table.__tablename__: sorted(map(tuple, connection.execute(select(table.__table__))))
            for table in READ_MODEL
        }


def a_market() -> Ledger:
    """A listing with three orders, one of them taken back."""
    ledger = Ledger()
    ledger.block(("market:open_listing", a_listing()))
    ledger.block(("market:place_bid", an_order("o1")), ("market:place_bid", an_order("o2")))
    ledger.block(("market:place_bid", an_order("o3", OTHER_HOME)), idgrid=OTHER_HOME)
    ledger.block(("market:cancel_order", a_cancellation("o1")))
    ledger.catch_up()
    return ledger


def test_values_and_ranges_are_those_of_the_ledger():
    ledger = Ledger()
    written = {"a~1": b"one", "a~2": b"two", "aa~1": b"three", "b~\u00e9": b"four"}
    ledger.block(("f", written))
    ledger.block(("f", {"a~1": b""}))
    ledger.catch_up()
    readmodel = ledger.readmodel
    assert readmodel.value("a~1") is None
    assert readmodel.value("a~2") == b"two"
    assert [key for key, _ in readmodel.entries("a~")] == ["a~2"]
    assert [key for key, _ in readmodel.entries("")] == ["aa~1", "a~2", "b~\u00e9"]
    assert next(iter(readmodel.entries("b~")))[1].version.block_number == 0


def test_an_invalid_transaction_is_kept_and_changes_nothing():
    ledger = Ledger()
    ledger.double.code = ValidationCode.MVCC_READ_CONFLICT
    ledger.block(("market:place_bid", an_order("o1")), args=["x"])
    ledger.catch_up()
    (record,) = ledger.readmodel.transactions_of_block(0)
    assert record.code is ValidationCode.MVCC_READ_CONFLICT
    assert (record.function, record.arguments) == ("market:place_bid", ("x",))
    assert ledger.readmodel.events_of(0) == []
    assert list(ledger.readmodel.entries("")) == []
    assert market_queries.orders_of_listing(ledger.readmodel, HOUR, limit=10).items == []


def test_entries_nobody_can_read_keep_their_place():
    ledger = Ledger()
    ledger.double.code = ValidationCode.BAD_PAYLOAD
    ledger.raw_block(b"no envelope")
    ledger.catch_up()
    (record,) = ledger.readmodel.transactions_of_block(0)
    assert (record.code, record.tx_id) == (ValidationCode.BAD_PAYLOAD, "")


def test_a_block_of_odd_entries_is_applied(caplog):
    ledger = Ledger()
    ledger.block(("nul \0 and \U0001f31e" * 100, {"k" * 3_000: b"x", "a~1": b"1"}), args=["\0"])
    ledger.block(("f", {"order~\0~b~c": b"{}", "listing~x~y": b"{}", "order~a": b"[]"}))
    ledger.catch_up()
    (record,) = ledger.readmodel.transactions_of_block(0)
    assert len(record.function) == 128
    assert "\0" not in record.function
    assert [key for key, _ in ledger.readmodel.entries("a~")] == ["a~1"]
    assert "3000 bytes is not mirrored" in caplog.text
    assert ledger.readmodel.height == 2


def test_blocks_are_applied_in_order_and_once():
    ledger = Ledger()
    ledger.block(("f", {"a~1": b"one"}))
    ledger.block(("f", {"a~1": b"two"}))
    with pytest.raises(BlockMissing):
        ledger.projector.apply(ledger.double.chain[1])
    ledger.catch_up()
    ledger.projector.apply(ledger.double.chain[0])
    assert ledger.readmodel.height == 2
    assert ledger.readmodel.value("a~1") == b"two"


def test_a_block_that_fails_halfway_leaves_nothing(monkeypatch):
    ledger = Ledger()
    ledger.block(("market:place_bid", an_order("o1")))

    def fail(*_):
        raise RuntimeError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("gateway.readmodel.projector.index_write", fail)
        with pytest.raises(RuntimeError):
            ledger.projector.apply(ledger.double.chain[0])
    assert all(rows == [] for rows in contents(ledger).values())
    ledger.catch_up()
    assert ledger.readmodel.height == 1


def test_a_rebuild_makes_the_same_tables():
    ledger = a_market()
    before = contents(ledger)
    ledger.projector.empty()
    assert ledger.readmodel.height == 0
    assert all(rows == [] for rows in contents(ledger).values())
    ledger.catch_up()
    assert contents(ledger) == before


def test_another_version_of_the_projection_fills_the_tables_anew(caplog):
    ledger = a_market()
    before = contents(ledger)
    with ledger.database.writing() as connection:
        connection.execute(Progress.__table__.update().values(projection_version=-1))
    assert Projector(ledger.database, CHAINCODE).prepare() == 0
    assert "filled anew" in caplog.text
    ledger.catch_up()
    assert contents(ledger) == before


def test_a_restarted_projector_goes_on_where_it_was():
    ledger = a_market()
    ledger.block(("market:place_bid", an_order("o4")))
    again = Projector(ledger.database, CHAINCODE)
    assert again.prepare() == 4
    again.apply(ledger.double.chain[4])
    assert ledger.readmodel.height == 5


def test_two_replicas_apply_every_block_once():
    ledger = Ledger()
    for number in range(30):
        ledger.block(("f", {f"count~{number}": b"x"}))
    failed = []

    def replica() -> None:
        projector = Projector(ledger.database, CHAINCODE)
        try:
            for block in ledger.double.chain[projector.prepare() :]:
                projector.apply(block)
        except Exception as error:  # noqa: BLE001 - told to the test
            failed.append(error)

    threads = [threading.Thread(target=replica) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert ledger.readmodel.height == 30
    assert len(list(ledger.readmodel.entries("count~"))) == 30


def test_orders_stay_when_they_are_taken_back():
    ledger = a_market()
    mine = market_queries.orders_of_household(ledger.readmodel, HOME, limit=10).items
    assert [(order.order_id, order.cancelled) for order in mine] == [
        ("o2", None),
        ("o1", Position(3, 0)),
    ]


def test_pages_of_orders_meet_without_gap_or_repetition():
    ledger = a_market()
    found, cursor = [], None
    while True:
        page = market_queries.orders_of_listing(ledger.readmodel, HOUR, below=cursor, limit=1)
        found += [order.order_id for order in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert found == ["o3", "o2", "o1"]


def test_pages_of_transactions_do_not_drift_while_blocks_arrive():
    ledger = a_market()
    first = ledger.readmodel.transactions(limit=2)
    ledger.block(("later", {"a~1": b"x"}))
    ledger.catch_up()
    second = ledger.readmodel.transactions(below=Position.parse(first.next), limit=2)
    third = ledger.readmodel.transactions(below=Position.parse(second.next), limit=2)
    positions = [str(each.position) for each in (*first.items, *second.items, *third.items)]
    assert positions == ["3:0", "2:0", "1:1", "1:0", "0:0"]
    assert third.next is None


def test_transactions_are_filtered_by_function_code_and_member():
    readmodel = a_market().readmodel
    bids = readmodel.transactions(function="market:place_bid", limit=10).items
    assert len(bids) == 3
    assert readmodel.transactions(code=ValidationCode.BAD_RWSET, limit=10).items == []
    assert len(readmodel.transactions(member="CooperativeMSP", limit=10).items) == 5


def test_activity_is_what_a_household_signed_or_what_wrote_its_keys():
    ledger = a_market()
    ledger.block(("market:clear", {keys.payout(OTHER_HOME, "clear", "x"): b"{}"}))
    ledger.catch_up()
    found = ledger.readmodel.activity(OTHER_HOME, limit=10).items
    assert [record.function for record in found] == ["market:clear", "market:place_bid"]


def test_what_concerns_several_is_read_by_its_signer_only():
    ledger = Ledger()
    payouts = {keys.payout(home, "clear", "x"): b"{}" for home in (HOME, OTHER_HOME, "VAL-0003-C")}
    for_two = {key: payouts[key] for key in list(payouts)[:2]}
    ledger.block(("settlement:fulfil", payouts), ("marketplace:buy", for_two))
    ledger.catch_up()
    model = ledger.readmodel
    assert model.readers_of(0) == {0: {HOME}, 1: {HOME, OTHER_HOME}}
    assert model.readable(HOME, 0, 0) == {Position(0, 0), Position(0, 1)}
    assert model.readable(OTHER_HOME, 0, 0) == {Position(0, 1)}
    assert model.readable("VAL-0003-C", 0, 0) == set()


def test_listings_have_their_state_and_then_their_price():
    ledger = Ledger()
    ledger.block(("open", a_listing(start_ms=2 * HOUR_MS)))
    ledger.block(("open", a_listing("2026-01-01T11", start_ms=3 * HOUR_MS)))
    ledger.catch_up()
    assert market_queries.next_to_close(ledger.readmodel).listing_id == HOUR
    outcome = {"price_utoken_per_kwh": 54_000, "quantity_wh": 7_000}
    ledger.block(
        (
            "clear",
            a_listing(state="CLEARED", start_ms=2 * HOUR_MS)
            | {keys.result(HOUR): encode(outcome)},
        )
    )
    ledger.catch_up()
    assert market_queries.next_to_close(ledger.readmodel).listing_id == "2026-01-01T11"
    latest, cleared = market_queries.listings(ledger.readmodel, limit=10).items
    assert (cleared.state, cleared.price_utoken_per_kwh, cleared.matched_wh) == (
        "CLEARED",
        54_000,
        7_000,
    )
    assert latest.price_utoken_per_kwh is None
    history = market_queries.listings_delivering(ledger.readmodel, 0, 3 * HOUR_MS)
    assert [listing.listing_id for listing in history] == [HOUR]


def test_settlements_and_corrections_are_lines_of_the_household():
    ledger = Ledger()
    ledger.block(
        (
            "settle",
            {
                keys.settlement_line(HOME, HOUR): encode(a_line(HOME, sold_wh=1_000)),
                keys.correction(HOME, HOUR, 1): encode(a_line(HOME, sold_wh=-100)),
                keys.settlement_line(HOME, "2026-01-01T09"): encode(a_line(HOME, sold_wh=5)),
            },
        )
    )
    ledger.catch_up()
    first = market_queries.settlements_of_household(ledger.readmodel, HOME, limit=2)
    assert [(line.revision, line.sold_wh) for line in first.items] == [(1, -100), (0, 1_000)]
    rest = market_queries.settlements_of_household(
        ledger.readmodel, HOME, before=first.next, limit=2
    )
    assert [line.sold_wh for line in rest.items] == [5]
    assert rest.next is None
    assert len(market_queries.settlements_of_listing(ledger.readmodel, HOUR)) == 2


def test_a_record_of_another_version_is_mirrored_and_told(caplog):
    ledger = Ledger()
    ledger.block(
        ("f", {keys.listing(HOUR): b'{"strange": true}', keys.order("a", "b", "c"): b"["})
    )
    ledger.catch_up()
    assert ledger.readmodel.value(keys.listing(HOUR)) == b'{"strange": true}'
    assert market_queries.listings(ledger.readmodel, limit=10).items == []
    assert caplog.text.count("no row for the key") == 2


def test_search_finds_blocks_transactions_households_and_listings():
    readmodel = a_market().readmodel
    block = readmodel.block(1)
    (first, _) = readmodel.transactions_of_block(1)
    for text, kind, found in (
        ("1", "block", "1"),
        (block.hash.hex(), "block", "1"),
        (block.hash.hex().upper(), "block", "1"),
        (first.tx_id, "transaction", first.tx_id),
        (HOME, "household", HOME),
        (HOUR, "listing", HOUR),
        ("CooperativeMSP", "member", "CooperativeMSP"),
    ):
        assert Found(kind, found) in ledger_queries.search(readmodel, f" {text} "), text
    assert ledger_queries.search(readmodel, "99") == []
    assert ledger_queries.search(readmodel, "' OR 1=1 --") == []


def test_questions_inside_one_height_do_not_see_later_blocks():
    ledger = a_market()
    ledger.block(("later", {"a~1": b"x"}))
    with ledger.readmodel.at_one_height():
        assert ledger.readmodel.height == 4
        ledger.catch_up()
        assert ledger.readmodel.height == 4
        assert ledger.readmodel.value("a~1") is None
    assert ledger.readmodel.height == 5


def test_whoever_signed_is_known_by_member_and_household():
    readmodel = a_market().readmodel
    record = readmodel.transactions_of_block(2)[0]
    identity = readmodel.identity(record.creator)
    assert (identity.member, identity.idgrid) == ("CooperativeMSP", OTHER_HOME)


def test_events_are_resumed_behind_a_place():
    readmodel = a_market().readmodel
    everything = readmodel.events_after(None, 100)
    assert len(everything) == 5
    rest = readmodel.events_after(Position(1, 0), 100, names=["OrderPlaced"])
    assert [(event.block_number, event.index) for event in rest] == [(1, 1), (2, 0), (3, 0)]


def test_a_whole_block_comes_back_byte_for_byte():
    ledger = a_market()
    assert ledger.readmodel.whole_block(1) == ledger.double.chain[1]
    assert ledger.readmodel.block_bytes(99) is None

"""Pages and differences: pure, and nothing is lost between lines, pages and corrections."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chaincode.energy.settlement import planning
from chaincode.energy.settlement.records import Page, SettlementLine
from ledger.endorsement.limits import SimulationLimits

KEYS_OF_A_LINE = 4
"""The line, a payout, the reputation, a record of what was not delivered."""
BYTES_OF_A_LINE = 1_400
"""All four and the line's rows in the page, identifiers and amounts as long as they get."""
BYTES_OF_A_KEY = 110
NAMES = [f"VAL-{number:04}" for number in range(8)]
lines = st.builds(
    SettlementLine,
    idgrid=st.sampled_from(NAMES),
    metering=st.sampled_from(["measured", "substituted", "missing"]),
    **{name: st.integers(min_value=0, max_value=10**12) for name in planning.AMOUNTS},
)
listings = st.lists(lines, max_size=8, unique_by=lambda line: line.idgrid)


@settings(deadline=None)
@given(st.lists(listings, min_size=3, max_size=3))
def test_lines_and_all_their_differences_add_up_to_the_last_settlement(
    settlements: list[list[SettlementLine]],
) -> None:
    total: dict[str, SettlementLine] = {}
    for now in settlements:
        for change in planning.changes(now, total):
            total[change.idgrid] = planning.added(total.get(change.idgrid), change)
        present = {line.idgrid: line for line in now}
        gone = {name: planning.nothing(name) for name in total if name not in present}
        assert total == present | gone
        assert planning.changes(now, total) == []


def test_pages_hold_every_row_once_in_order(monkeypatch: Any) -> None:
    monkeypatch.setattr(planning, "PAGE_HOUSEHOLDS_MAX", 3)
    rows = [planning.nothing(name) for name in NAMES]
    pages = pages_of(rows, {})
    assert [page.number for page in pages] == [0, 1, 2]
    assert [len(page.lines) for page in pages] == [3, 3, 2]
    assert [line for page in pages for line in page.typed_lines()] == rows


def test_a_page_ends_before_it_empties_too_many_escrows(monkeypatch: Any) -> None:
    monkeypatch.setattr(planning, "PAGE_ESCROWS_MAX", 5)
    held = (2, 2, 2, 0, 0, 5, 1, 6)
    escrows = {name: ["order"] * count for name, count in zip(NAMES, held, strict=True)}
    pages = pages_of([planning.nothing(name) for name in NAMES], escrows)
    names = [[line.idgrid for line in page.typed_lines()] for page in pages]
    assert names == [NAMES[:2], NAMES[2:5], NAMES[5:6], NAMES[6:7], NAMES[7:]]


def test_the_largest_page_fits_into_a_transaction() -> None:
    limits = SimulationLimits()
    households, escrows = planning.PAGE_HOUSEHOLDS_MAX, planning.PAGE_ESCROWS_MAX
    assert households * KEYS_OF_A_LINE + escrows + 10 < limits.writes_max
    assert households * BYTES_OF_A_LINE + escrows * BYTES_OF_A_KEY < limits.write_bytes_max


def test_a_settlement_of_nobody_is_one_empty_page() -> None:
    assert [page.lines for page in pages_of([], {})] == [[]]


def pages_of(rows: list[SettlementLine], escrows: dict[str, list[str]]) -> list[Page]:
    return planning.pages_of(
        listing_id="2026-01-15T10", revision=0, lines=rows, kept=[], escrows=escrows
    )

"""Pages and differences: pure, and nothing is lost between lines, pages and corrections."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chaincode.energy.settlement import planning
from chaincode.energy.settlement.records import Page, SettlementLine

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
    escrows = {name: [f"{name}-a", f"{name}-b"] for name in NAMES[::2]}
    pages = pages_of(rows, escrows)
    assert [page.number for page in pages] == [0, 1, 2]
    assert [len(page.lines) for page in pages] == [3, 3, 2]
    assert [line for page in pages for line in page.typed_lines()] == rows
    held = [(name, order) for page in pages for name, order in page.escrows]
    assert held == [(name, order) for name in NAMES[::2] for order in escrows[name]]
    for page in pages:
        names = {line.idgrid for line in page.typed_lines()}
        assert {name for name, _ in page.escrows} <= names


def test_a_settlement_of_nobody_is_one_empty_page() -> None:
    assert [page.lines for page in pages_of([], {})] == [[]]


def pages_of(rows: list[SettlementLine], escrows: dict[str, list[str]]) -> list[Page]:
    return planning.pages_of(
        listing_id="2026-01-15T10", revision=0, lines=rows, kept=[], escrows=escrows
    )

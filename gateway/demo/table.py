"""The live table: one line per market hour, rewritten on a terminal, appended elsewhere."""

from dataclasses import dataclass, field
from typing import TextIO

WH_PER_KWH = 1_000
UTOKEN_PER_TOKEN = 1_000_000
ROWS_ON_TERMINAL = 16
"""Rows that are rewritten in place; a terminal of 24 lines holds them."""
HEADER = (
    f"{'hour':<13} {'state':<15} {'offers':>6} {'bids':>5} {'price':>8} {'retail':>7} "
    f"{'matched':>9} {'settled':>9} {'local':>6}"
)
_UP, _CLEAR = "\x1b[{}A", "\x1b[2K"


@dataclass(slots=True)
class Row:
    """What is known of one hour so far."""

    label: str
    state: str = "waiting"
    offers: int = 0
    bids: int = 0
    price_utoken_per_kwh: int | None = None
    retail_price_utoken_per_kwh: int = 0
    matched_wh: int | None = None
    settled_wh: int | None = None
    imported_wh: int | None = None


@dataclass(slots=True)
class LiveTable:
    """Prints rows as they change. `is_terminal` decides between rewriting and appending."""

    out: TextIO
    is_terminal: bool
    rows: dict[str, Row] = field(default_factory=dict)
    _lines_shown: int = 0
    _has_header: bool = False

    def update(self, listing_id: str, row: Row) -> None:
        """Show this row as it now is."""
        self.rows[listing_id] = row
        if self.is_terminal:
            self._rewrite()
        else:
            self._append(row)

    def say(self, text: str) -> None:
        """A line above the table."""
        if self.is_terminal and self._lines_shown:
            self.out.write(_UP.format(self._lines_shown) + "\r\x1b[J")
            self._lines_shown = 0
        self.out.write(text + "\n")
        self.out.flush()

    def end(self) -> None:
        """Leave the table as it stands: what is said from now on comes below it."""
        self._lines_shown = 0

    def _append(self, row: Row) -> None:
        if not self._has_header:
            self._has_header = True
            self.out.write(HEADER + "\n")
        self.out.write(line_of(row) + "\n")
        self.out.flush()

    def _rewrite(self) -> None:
        newest = list(self.rows.values())[-ROWS_ON_TERMINAL:]
        lines = [HEADER, *(line_of(row) for row in newest)]
        if self._lines_shown:
            self.out.write(_UP.format(self._lines_shown))
        for line in lines:
            self.out.write(f"\r{_CLEAR}{line}\n")
        self._lines_shown = len(lines)
        self.out.flush()


def line_of(row: Row) -> str:
    """A row as text; energy in kWh, prices in tokens per kWh."""
    share = "–"
    if row.settled_wh is not None and row.imported_wh:
        share = f"{100 * row.settled_wh // row.imported_wh} %"
    return (
        f"{row.label:<13} {row.state:<15} {row.offers:>6} {row.bids:>5} "
        f"{_tokens(row.price_utoken_per_kwh):>8} {_tokens(row.retail_price_utoken_per_kwh):>7} "
        f"{_kwh(row.matched_wh):>9} {_kwh(row.settled_wh):>9} {share:>6}"
    )


def _tokens(utoken: int | None) -> str:
    return "–" if utoken is None else f"{utoken / UTOKEN_PER_TOKEN:.3f}"


def _kwh(energy_wh: int | None) -> str:
    return "–" if energy_wh is None else f"{energy_wh / WH_PER_KWH:.2f}"

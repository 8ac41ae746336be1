"""A snapshot as tables for a terminal, or as plain lines. Pure."""

from collections.abc import Iterable, Sequence

from rich.console import Group, JustifyMethod, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from network.top.snapshot import DeviceState, GatewayState, ListingState, Snapshot, ValidatorState

DEVICES_SHOWN_MAX = 20
UNKNOWN = "–"
UTOKEN_PER_TOKEN, WH_PER_KWH, BYTES_PER_MB, MS_PER_S = 1_000_000, 1_000, 1_000_000, 1_000
SECONDS_PER_MINUTE, SECONDS_PER_HOUR = 60, 3_600
GOOD, BAD, FAINT = "green", "bold red", "dim"
VALIDATOR_COLUMNS = ("validator", "state", "height", "lag", "round", "memory", "CPU", "address")
NUMBERS = frozenset({"height", "lag", "round", "memory", "CPU", "refused"})
DEVICE_COLUMNS = ("device", "of", "state", "heard", "refused")
HOW_TO_END = Text("q ends", style=FAINT)
TROUBLE_FIRST = ("silent", "lost", "unknown", "off", "online")


def tables(shown: Snapshot) -> RenderableType:
    """For a terminal, in colours; words say the same as colours."""
    parts: list[RenderableType] = []
    if shown.validators:
        title = f"network {shown.network}"
        rows = [validator_cells(one) for one in shown.validators]
        parts.append(Panel(_table(VALIDATOR_COLUMNS, rows), title=title, title_align="left"))
    if shown.gateway is None:
        parts.append(Text(shown.gateway_problem, style=BAD))
        return Group(*parts, HOW_TO_END)
    market = Text("\n".join(market_lines(shown.gateway, shown.at_ms)))
    title = f"market at {shown.gateway.url}"
    parts.append(Panel(market, title=title, title_align="left"))
    parts.append(_device_panel(shown.gateway, shown.at_ms))
    return Group(*parts, HOW_TO_END)


def lines(shown: Snapshot) -> Iterable[str]:
    """For files and pipes: one fact a line, columns by spaces."""
    if shown.validators:
        yield f"network {shown.network}"
        rows = [validator_cells(one) for one in shown.validators]
        yield from _columns([VALIDATOR_COLUMNS, *rows])
    if shown.gateway is None:
        yield shown.gateway_problem
        return
    yield f"market at {shown.gateway.url}"
    yield from (f"  {line}" for line in market_lines(shown.gateway, shown.at_ms))
    if shown.gateway.devices is None:
        yield no_token()
        return
    yield device_summary(shown.gateway.devices)
    rows = [device_cells(one, shown.at_ms) for one in troubled_first(shown.gateway.devices)]
    yield from _columns([DEVICE_COLUMNS, *rows])


def validator_cells(one: ValidatorState) -> tuple[str, ...]:
    """A row under `VALIDATOR_COLUMNS`."""
    return (
        one.name,
        validator_state(one),
        UNKNOWN if one.height is None else str(one.height),
        UNKNOWN if one.lag_blocks is None else str(one.lag_blocks),
        UNKNOWN if one.round is None else str(one.round),
        f"{one.resident_bytes / BYTES_PER_MB:.0f} MB" if one.is_running else UNKNOWN,
        f"{one.cpu_percent:.0f} %" if one.is_running else UNKNOWN,
        one.address,
    )


def validator_state(one: ValidatorState) -> str:
    """In words."""
    if not one.is_running:
        return "stopped"
    return "up" if one.height is not None else "does not answer"


def market_lines(gateway: GatewayState, now_ms: int) -> list[str]:
    """The current listing in sentences."""
    listing = gateway.listing
    if listing is None:
        return [f"height {gateway.height}; no listing was opened yet"]
    more = "" if listing.is_whole_book else " (of the first orders)"
    return [
        f"hour {listing.listing_id}, height {gateway.height}",
        _phase(listing, now_ms),
        f"{_book(listing)}{more}",
        _price(listing),
    ]


def _book(listing: ListingState) -> str:
    offers = f"{listing.offer_count} offers of {_kwh(listing.offered_wh)}"
    return f"{offers}, {listing.bid_count} bids for {_kwh(listing.wanted_wh)}"


def _phase(listing: ListingState, now_ms: int) -> str:
    ends_ms = listing.phase.ends_ms
    if ends_ms is None:
        return listing.phase.name
    if ends_ms <= now_ms:
        return f"{listing.phase.name}; due since {duration(now_ms - ends_ms)}"
    return f"{listing.phase.name}, {duration(ends_ms - now_ms)} left"


def _price(listing: ListingState) -> str:
    if listing.matched_wh is None:
        return "no price yet"
    if listing.price_utoken_per_kwh is None:
        return "nothing was matched"
    tokens = listing.price_utoken_per_kwh / UTOKEN_PER_TOKEN
    return f"{tokens:.3f} tokens per kWh, {_kwh(listing.matched_wh)} matched"


def device_cells(one: DeviceState, now_ms: int) -> tuple[str, ...]:
    """A row under `DEVICE_COLUMNS`."""
    heard = f"{duration(max(now_ms - one.last_seen_ms, 0))} ago" if one.last_seen_ms else "never"
    return one.device_id, one.owner_idgrid or UNKNOWN, one.state, heard, str(one.refused)


def device_summary(devices: Sequence[DeviceState]) -> str:
    """How many are how."""
    if not devices:
        return "meters: none was heard yet"
    counts = {state: sum(one.state == state for one in devices) for state in TROUBLE_FIRST}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"meters: {told}"


def troubled_first(devices: Sequence[DeviceState]) -> list[DeviceState]:
    """Silent ones before those that are well; `DEVICES_SHOWN_MAX` of them."""
    order = {state: index for index, state in enumerate(TROUBLE_FIRST)}
    ranked = sorted(devices, key=lambda one: (order.get(one.state, 0), one.device_id))
    return ranked[:DEVICES_SHOWN_MAX]


def no_token() -> str:
    """What to do to see meters."""
    return "meters: set GRIDLEDGER_TOKEN to a token with the scope community:read"


def duration(span_ms: int) -> str:
    """`8 s`, `12 min 30 s`, `3 h 05 min`."""
    seconds = span_ms // MS_PER_S
    if seconds < SECONDS_PER_MINUTE:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, SECONDS_PER_MINUTE)
    if minutes < SECONDS_PER_MINUTE:
        return f"{minutes} min {seconds:02} s"
    hours, minutes = divmod(minutes, SECONDS_PER_MINUTE)
    return f"{hours} h {minutes:02} min"


def _kwh(energy_wh: int) -> str:
    return f"{energy_wh / WH_PER_KWH:.2f} kWh"


def _device_panel(gateway: GatewayState, now_ms: int) -> RenderableType:
    if gateway.devices is None:
        return Text(no_token(), style=FAINT)
    rows = [device_cells(one, now_ms) for one in troubled_first(gateway.devices)]
    left_out = len(gateway.devices) - len(rows)
    more = [Text(f"and {left_out} more", style=FAINT)] if left_out else []
    body = Group(_table(DEVICE_COLUMNS, rows), *more)
    return Panel(body, title=device_summary(gateway.devices), title_align="left")


def _table(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False, expand=False)
    for column in columns:
        justify: JustifyMethod = "right" if column in NUMBERS else "left"
        table.add_column(column, no_wrap=True, overflow="ellipsis", justify=justify)
    for row in rows:
        table.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    return table


def _style(cell: str) -> str:
    if cell in {"up", "online"}:
        return GOOD
    return BAD if cell in {"stopped", "does not answer", "silent", "lost"} else ""


def _columns(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()

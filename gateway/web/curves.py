"""Supply and demand of one order book as an SVG step chart, drawn on the server.

Across is cumulative energy, up is price. Supply rises from the cheapest offer, demand falls from
the dearest bid; a dot and dashed lines show the clearing price and quantity. Colours come from
CSS classes, so light and dark both work; the page has the same numbers in a table beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from gateway.web.languages import N_, Language

WIDTH, HEIGHT = 480, 290
LEFT, RIGHT, TOP, BOTTOM = 66, 16, 30, 48
GRID_LINES = 4
WH_PER_KWH = 1_000
AT_THE_PRICE = N_("{energy} kWh at {price}")
_ROUND_TENTHS = (10, 12, 16, 20, 24, 28, 32, 40, 48, 60, 80)


@dataclass(frozen=True, slots=True)
class Step:
    """One order: its limit price in micro-tokens per kWh and its energy in Wh."""

    price: int
    energy_wh: int


@dataclass(frozen=True, slots=True)
class Clearing:
    """Where the curves cross."""

    price: int
    quantity_wh: int


@dataclass(frozen=True, slots=True)
class _Scale:
    energy_wh: int
    price: int

    def x(self, energy_wh: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * energy_wh / self.energy_wh

    def y(self, price: int) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * price / self.price


def supply_points(offers: Sequence[Step]) -> list[tuple[int, int]]:
    """Corners (cumulative Wh, price), cheapest offer first."""
    return _corners(sorted(offers, key=lambda step: step.price))


def demand_points(bids: Sequence[Step]) -> list[tuple[int, int]]:
    """Corners (cumulative Wh, price), dearest bid first, down to zero at the end."""
    corners = _corners(sorted(bids, key=lambda step: -step.price))
    return [*corners, (corners[-1][0], 0)] if corners else []


def curves_svg(
    *,
    offers: Sequence[Step],
    bids: Sequence[Step],
    clearing: Clearing | None,
    title: str,
    words: Language,
) -> str:
    """An `<svg>` element; an empty book has a frame without numbers and "no orders yet"."""
    supply, demand = supply_points(offers), demand_points(bids)
    energy_max = max((energy for energy, _ in supply + demand), default=0)
    price_max = max((price for _, price in supply + demand), default=0)
    scale = _Scale(_round_up(energy_max), _round_up(price_max))
    parts = [
        (
            f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
            ' aria-labelledby="curves-title curves-desc">'
        ),
        f'<title id="curves-title">{escape(title)}</title>',
        f'<desc id="curves-desc">{escape(_description(offers, bids, clearing, words))}</desc>',
        *_frame(scale, words, is_numbered=bool(supply or demand)),
    ]
    if not supply and not demand:
        empty = escape(words.text(N_("no orders yet")))
        x = (WIDTH + LEFT - RIGHT) / 2
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * 2.5 / GRID_LINES  # between two grid lines
        parts.append(f'<text class="empty" x="{x}" y="{y + 4:.1f}">{empty}</text>')
    parts += _line("supply", supply, scale)
    parts += _line("demand", demand, scale)
    if clearing is not None:
        parts += _crossing(clearing, scale, words)
    return "".join([*parts, "</svg>"])


def _corners(steps: Sequence[Step]) -> list[tuple[int, int]]:
    corners: list[tuple[int, int]] = []
    energy_wh = 0
    for step in steps:
        corners.append((energy_wh, step.price))
        energy_wh += step.energy_wh
        corners.append((energy_wh, step.price))
    return corners


def _frame(scale: _Scale, words: Language, *, is_numbered: bool) -> list[str]:
    """Grid lines with their numbers, and the names of the axes; nothing numbers an empty book."""
    parts = []
    for number in range(GRID_LINES + 1):
        price, energy_wh = (
            scale.price * number // GRID_LINES,
            scale.energy_wh * number // GRID_LINES,
        )
        x, y = scale.x(energy_wh), scale.y(price)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        if not is_numbered:
            continue
        parts.append(
            f'<text class="tick price" x="{LEFT - 8}" y="{y + 4:.1f}">'
            f"{words.tokens(price, 3)}</text>"
            f'<text class="tick energy" x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}">'
            f"{_energy(energy_wh, words)}</text>"
        )
    per_kwh = escape(words.text(N_("tokens per kWh")))
    parts.append(
        f'<text class="axis" x="{(WIDTH + LEFT - RIGHT) / 2}" y="{HEIGHT - 6}">kWh</text>'
        f'<text class="axis price" x="{LEFT}" y="16">{per_kwh}</text>'
    )
    return parts


def _line(name: str, corners: list[tuple[int, int]], scale: _Scale) -> list[str]:
    if not corners:
        return []
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(corners)), (
        "a step curve has only level and upright lines"
    )
    points = " ".join(f"{scale.x(energy):.1f},{scale.y(price):.1f}" for energy, price in corners)
    return [f'<polyline class="{name}" points="{points}"/>']


def _crossing(clearing: Clearing, scale: _Scale, words: Language) -> list[str]:
    x, y = scale.x(clearing.quantity_wh), scale.y(clearing.price)
    label_y = max(y - 10, TOP + 12)
    anchor, label_x = ("end", x - 10) if x > WIDTH * 0.6 else ("start", x + 10)
    base = HEIGHT - BOTTOM
    return [
        (
            f'<line class="clearing" x1="{LEFT}" x2="{x:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<line class="clearing" x1="{x:.1f}" x2="{x:.1f}" y1="{y:.1f}" y2="{base}"/>'
            f'<circle class="clearing" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
            f'<text class="clearing" text-anchor="{anchor}" x="{label_x:.1f}" y="{label_y:.1f}">'
            f"{escape(_amounts(AT_THE_PRICE, clearing, words))}</text>"
        )
    ]


def _description(
    offers: Sequence[Step], bids: Sequence[Step], clearing: Clearing | None, words: Language
) -> str:
    text = words.text(N_("Offers: {offers} of {offered} kWh. Bids: {bids} for {wanted} kWh."))
    text = text.format(
        offers=len(offers),
        offered=words.kwh(sum(step.energy_wh for step in offers)),
        bids=len(bids),
        wanted=words.kwh(sum(step.energy_wh for step in bids)),
    )
    if clearing is None:
        return text
    crossing = N_("They cross at {energy} kWh and {price} tokens per kWh.")
    return f"{text} {_amounts(crossing, clearing, words)}"


def _amounts(message: str, clearing: Clearing, words: Language) -> str:
    energy, price = words.kwh(clearing.quantity_wh), words.tokens(clearing.price, 3)
    return words.text(message).format(energy=energy, price=price)


def _energy(energy_wh: int, words: Language) -> str:
    """KWh with as many digits as it needs."""
    places = 0 if energy_wh % WH_PER_KWH == 0 else 1 if energy_wh % (WH_PER_KWH // 10) == 0 else 2
    return words.kwh(energy_wh, places)


def _round_up(value: int) -> int:
    """The next round number whose quarters are round too: 1.2, 2.4 or 4 times a power of ten."""
    power = 1
    while value > 10 * power:
        power *= 10
    for tenths in _ROUND_TENTHS:
        if value * 10 <= tenths * power:
            return max(tenths * power // 10, GRID_LINES)
    return 10 * power

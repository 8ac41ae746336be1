"""Clearing price per delivery hour as an SVG step line inside the band of feed-in and retail."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from gateway.web.languages import N_, Language

WIDTH, HEIGHT = 480, 200
LEFT, RIGHT, TOP, BOTTOM = 66, 8, 14, 30
GRID_LINES = 3
LABELS_MAX = 5
UTOKEN_PER_TOKEN = 1_000_000


@dataclass(frozen=True, slots=True)
class PricedHour:
    """One hour; prices in micro-tokens per kWh, `None` when nothing traded."""

    label: str
    price: int | None
    floor: int
    cap: int


def price_chart_svg(hours: Sequence[PricedHour], words: Language) -> str:
    """An `<svg>` element; oldest hour at the left."""
    top_price = max((hour.cap for hour in hours), default=UTOKEN_PER_TOKEN)
    parts = [
        (
            f'<svg class="prices" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
            ' aria-labelledby="prices-title">'
            f'<title id="prices-title">{escape(_title(hours, words))}</title>'
        )
    ]
    for number in range(GRID_LINES + 1):
        price = top_price * number // GRID_LINES
        y = _y(price, top_price)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick price" x="{LEFT - 8}" y="{y + 4:.1f}">'
            f"{words.tokens(price, 3)}</text>"
        )
    parts += _hours(hours, top_price)
    parts.append("</svg>")
    return "".join(parts)


def _hours(hours: Sequence[PricedHour], top_price: int) -> list[str]:
    parts: list[str] = []
    slot = (WIDTH - LEFT - RIGHT) / max(len(hours), 1)
    every = -(-len(hours) // LABELS_MAX) if hours else 1
    for number, hour in enumerate(hours):
        left, right = LEFT + slot * number, LEFT + slot * (number + 1)
        cap_y, floor_y = _y(hour.cap, top_price), _y(hour.floor, top_price)
        parts.append(
            f'<rect class="band" x="{left:.1f}" width="{slot:.1f}" y="{cap_y:.1f}"'
            f' height="{floor_y - cap_y:.1f}"/>'
        )
        if hour.price is not None:
            y = _y(hour.price, top_price)
            parts.append(
                f'<line class="price-step" x1="{left:.1f}" x2="{right:.1f}"'
                f' y1="{y:.1f}" y2="{y:.1f}"/>'
            )
        if number % every == 0:
            parts.append(
                f'<text class="tick hour" x="{(left + right) / 2:.1f}" y="{HEIGHT - 10}">'
                f"{escape(hour.label)}</text>"
            )
    return parts


def _y(price: int, top_price: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * price / top_price


def _title(hours: Sequence[PricedHour], words: Language) -> str:
    priced = [hour for hour in hours if hour.price is not None]
    if not priced:
        return words.text(N_("No hour has a price yet."))
    text = words.text(N_("Price per hour; {hour}: {price} tokens."))
    return text.format(hour=priced[-1].label, price=words.tokens(priced[-1].price, 3))

"""A few curves as an SVG picture, without a plotting library."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 60, 220, 34, 50
COLOURS = ("#1b6ca8", "#e07a1f", "#2e8b57", "#8b3a8b", "#a83232", "#555555")
GRID_LINES = 5


def svg(
    x_values: Sequence[int],
    curves: Mapping[str, Sequence[float]],
    *,
    x_label: str,
    y_label: str,
) -> str:
    """Curves over the same x values, from zero up, with a legend."""
    highest = max((value for curve in curves.values() for value in curve), default=1.0) or 1.0
    span = max(x_values) - min(x_values) or 1

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - min(x_values)) / span * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - y / highest * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        "<style>text { font: 12px sans-serif }</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for step in range(GRID_LINES + 1):
        value = highest * step / GRID_LINES
        _, y = place(x_values[0], value)
        parts.append(
            f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>'
        )
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>')
    for x in x_values:
        across, down = place(x, 0)
        parts.append(f'<text x="{across:.1f}" y="{down + 18:.1f}" text-anchor="middle">{x}</text>')
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(
            "{:.1f},{:.1f}".format(*place(x, y)) for x, y in zip(x_values, curve, strict=True)
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        y = TOP + 16 * (number + 1)
        parts.append(
            f'<text x="{WIDTH - RIGHT + 16}" y="{y}" fill="{colour}">{escape(name)}</text>'
        )
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 12}">{escape(x_label)}</text>')
    parts.append(f'<text x="8" y="14">{escape(y_label)}</text>')
    return "\n".join([*parts, "</svg>", ""])

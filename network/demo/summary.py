"""The summary at the end of a demo: pure text from the report and the validators' heads."""

from collections.abc import Mapping, Sequence
from typing import Any

from network.running.heads import Head

WH_PER_KWH = 1_000
UTOKEN_PER_TOKEN = 1_000_000
PRICES_PER_LINE = 6


def summary_lines(
    report: Mapping[str, Any], found: Mapping[str, Head | None], *, seconds: float
) -> tuple[list[str], list[str]]:
    """(lines to print, what must hold and does not)."""
    hours = report["hours"]
    problems = [*report["broken"], *_head_problems(found)]
    settled_wh = sum(hour["settled_wh"] for hour in hours)
    imported_wh = sum(hour["imported_wh"] for hour in hours)
    share = 100 * settled_wh / imported_wh if imported_wh else 0.0
    before, after = report["balances_before_utoken"], report["balances_after_utoken"]
    lines = [
        "",
        f"Summary of {len(hours)} market hours, {report['households']} homes",
        f"  energy traded       {settled_wh / WH_PER_KWH:.3f} kWh",
        (
            f"  local share         {share:.1f} % of {imported_wh / WH_PER_KWH:.3f} kWh taken from"
            " the grid"
        ),
        *_prices(hours),
        f"  paid to neighbours  {_tokens(sum(hour['paid_utoken'] for hour in hours))} tokens",
        (
            f"  money conserved     {'yes' if before == after else 'NO'}: {_tokens(before)} tokens"
            f" before, {_tokens(after)} after"
        ),
    ]
    lines.append(f"  e-mails sent        {report['mails']}")
    heights = sorted({head.height for head in found.values() if head is not None})
    lines.append("  ledger height       " + ", ".join(str(height) for height in heights))
    for name, head in found.items():
        lines.append(f"  state hash          {head.state_hash.hex() if head else '-'}  {name}")
    lines.append(
        f"  time                {seconds:.1f} s, everything included; "
        + ("all invariants hold" if not problems else f"{len(problems)} broken")
    )
    return lines, problems


def _head_problems(found: Mapping[str, Head | None]) -> list[str]:
    problems = [f"{name} does not answer" for name, head in found.items() if head is None]
    answered = [head for head in found.values() if head is not None]
    if len({head.height for head in answered}) > 1:
        problems.append("the validators stand at different heights")
    elif len({head.state_hash for head in answered}) > 1:
        problems.append("the validators have different state hashes")
    return problems


def _prices(hours: Sequence[Mapping[str, Any]]) -> list[str]:
    """As many lines as they need."""
    starts = range(0, len(hours), PRICES_PER_LINE)
    lines = [", ".join(map(_priced, hours[start:][:PRICES_PER_LINE])) for start in starts]
    heads = ["  price per hour      ", *[" " * 22] * (len(lines) - 1)]
    return [head + line for head, line in zip(heads, lines, strict=True)]


def _priced(hour: Mapping[str, Any]) -> str:
    price = hour["price_utoken_per_kwh"]
    shown = "no trade" if price is None else f"{price / UTOKEN_PER_TOKEN:.3f}"
    return f"{hour['label'].rpartition(' ')[2]} {shown}"


def _tokens(utoken: int) -> str:
    return f"{utoken / UTOKEN_PER_TOKEN:.6f}"

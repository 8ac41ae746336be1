"""What a demo run showed, as numbers; the commands that print it are elsewhere."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HourReport:
    """One settled hour. Energy in Wh, money in micro-tokens, price in micro-tokens per kWh."""

    listing_id: str
    label: str
    offers: int
    bids: int
    price_utoken_per_kwh: int | None
    retail_price_utoken_per_kwh: int
    matched_wh: int
    settled_wh: int
    imported_wh: int
    exported_wh: int
    paid_utoken: int


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The whole run. `issued_utoken` is all money ever issued; the balances must add up to it."""

    hours: tuple[HourReport, ...]
    households: int
    issued_utoken: int
    balances_before_utoken: int
    balances_after_utoken: int
    ledger_difference_utoken: int
    mails: int = 0
    """That the gateway sent while it ran."""
    unlike_recorded: tuple[str, ...] = ()
    """Of a replay: homes whose chart shows something else than was recorded."""


def broken_invariants(report: DemoReport, *, hours: int) -> list[str]:
    """Everything that must hold and does not, in words."""
    broken = list(report.unlike_recorded)
    if len(report.hours) != hours:
        broken.append(f"{len(report.hours)} of {hours} hours were settled")
    if report.balances_before_utoken != report.balances_after_utoken:
        broken.append("the sum of all balances changed")
    if report.issued_utoken != report.balances_after_utoken or report.ledger_difference_utoken:
        broken.append("the balances do not add up to the money issued")
    for hour in report.hours:
        if hour.settled_wh > hour.matched_wh:
            broken.append(f"{hour.listing_id} settled more than was matched")
        if hour.settled_wh > min(hour.imported_wh, hour.exported_wh):
            broken.append(f"{hour.listing_id} settled more than was metered")
        if hour.paid_utoken != hour.settled_wh * (hour.price_utoken_per_kwh or 0) // 1000:
            broken.append(f"{hour.listing_id} paid another amount than energy times price")
    return broken

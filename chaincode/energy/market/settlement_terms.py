"""What a listing fixes about its settlement when it opens: charges, deadlines, what bids lock."""

from collections.abc import Mapping

from chaincode.energy import arguments
from chaincode.energy.arguments import PRICE_UTOKEN_PER_KWH_MAX, bad
from chaincode.energy.hours import DAY_MS, TIME_MS_MAX
from chaincode.energy.market.rationing import amount_rounded_up
from chaincode.energy.market.records import Listing

PERMILLE = 1000
READINGS_LATE_MS_DEFAULT = DAY_MS
"""From the end of settlement until a silent meter counts as zero."""
DISPUTE_WINDOW_MS_DEFAULT = 7 * DAY_MS
DISPUTE_WINDOW_MS_MAX = 366 * DAY_MS
SETTLEMENT_TERMS = (
    "network_charge_utoken_per_kwh",
    "pool_share_permille",
    "readings_due_ms",
    "dispute_window_ms",
)


def settlement_terms(given: Mapping[str, object], *, settlement_end_ms: int) -> dict[str, int]:
    """The `SETTLEMENT_TERMS` of a new listing from its parameters, with defaults.

    No charge and no pool share; readings are due a day after the settlement phase, disputes
    within a week of the settlement.
    """
    due_ms = _number(
        given,
        "readings_due_ms",
        default=min(settlement_end_ms + READINGS_LATE_MS_DEFAULT, TIME_MS_MAX),
        at_most=TIME_MS_MAX,
    )
    if due_ms < settlement_end_ms:
        bad("readings_due_ms is before settlement_end_ms")
    return {
        "network_charge_utoken_per_kwh": _number(
            given,
            "network_charge_utoken_per_kwh",
            default=0,
            at_most=PRICE_UTOKEN_PER_KWH_MAX,
        ),
        "pool_share_permille": _number(given, "pool_share_permille", default=0, at_most=PERMILLE),
        "readings_due_ms": due_ms,
        "dispute_window_ms": _number(
            given,
            "dispute_window_ms",
            default=DISPUTE_WINDOW_MS_DEFAULT,
            at_most=DISPUTE_WINDOW_MS_MAX,
        ),
    }


def locked_for(listing: Listing, *, energy_wh: int, price_utoken_per_kwh: int) -> int:
    """Micro-tokens to lock for energy at a price: energy and network charge, each rounded up.

    Rounded one by one, as settlement shares both out separately: neither can exceed its part.
    """
    energy = amount_rounded_up(energy_wh=energy_wh, price_utoken_per_kwh=price_utoken_per_kwh)
    charge = amount_rounded_up(
        energy_wh=energy_wh, price_utoken_per_kwh=listing.network_charge_utoken_per_kwh
    )
    return energy + charge


def _number(given: Mapping[str, object], name: str, *, default: int, at_most: int) -> int:
    value = arguments.number_in(given, name, default)
    return arguments.not_negative(value, name, at_most=at_most)

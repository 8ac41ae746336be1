"""What a listing fixes about its auction beyond floor and cap: fixed and regulated price, line."""

from collections.abc import Mapping
from typing import Any

from chaincode.energy import arguments
from chaincode.energy.arguments import ENERGY_WH_MAX, bad

FIXED_PRICE = "fixed_price_utoken_per_kwh"
REGULATED_PRICE = "regulated_price_utoken_per_kwh"
LINE_LIMIT = "line_limit_wh"
PRIORITY_CONSUMERS = "priority_consumers"
AUCTION_TERMS = (FIXED_PRICE, REGULATED_PRICE, LINE_LIMIT, PRIORITY_CONSUMERS)
PRIORITY_CONSUMERS_MAX = 100


def auction_terms(given: Mapping[str, Any], *, rule: str, floor: int, cap: int) -> dict[str, Any]:
    """The `AUCTION_TERMS` of a new listing; all are optional but the price of `fixed_price`.

    Both prices lie between floor and cap, so that they bind nobody to less than the utility pays
    or to more than it asks.
    """
    fixed = _price_between(given, FIXED_PRICE, floor, cap)
    regulated = _price_between(given, REGULATED_PRICE, floor, cap)
    if (fixed is None) == (rule == "fixed_price"):
        bad(f"{FIXED_PRICE} goes with the rule fixed_price")
    priority = _priority_consumers(given)
    if bool(priority) != (regulated is not None):
        bad(f"{PRIORITY_CONSUMERS} go with {REGULATED_PRICE}")
    line_limit_wh = None
    if given.get(LINE_LIMIT) is not None:
        limit_wh = arguments.number_in(given, LINE_LIMIT)
        line_limit_wh = arguments.positive(limit_wh, LINE_LIMIT, at_most=ENERGY_WH_MAX)
    return {
        FIXED_PRICE: fixed,
        REGULATED_PRICE: regulated,
        LINE_LIMIT: line_limit_wh,
        PRIORITY_CONSUMERS: priority,
    }


def _price_between(given: Mapping[str, Any], name: str, floor: int, cap: int) -> int | None:
    if given.get(name) is None:
        return None
    price = arguments.number_in(given, name)
    if not floor <= price <= cap:
        bad(f"{name} must lie between floor and cap")
    return price


def _priority_consumers(given: Mapping[str, Any]) -> list[str]:
    value = given.get(PRIORITY_CONSUMERS) or []
    if not isinstance(value, list) or len(value) > PRIORITY_CONSUMERS_MAX:
        bad(f"{PRIORITY_CONSUMERS} must be a list of at most {PRIORITY_CONSUMERS_MAX} IDgrids")
    return [arguments.idgrid(arguments.identifier_of(name, PRIORITY_CONSUMERS)) for name in value]

"""What every listing fixes: the manager's form of `listings:set_defaults`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chaincode.energy import keys
from chaincode.energy.market.listing_terms import CAP, FLOOR
from chaincode.energy.market.records import MarketDefaults
from gateway.books.ledger_records import LedgerRecords
from gateway.web.languages import N_

RULE, MAX_ORDER = "rule", "max_order_wh"
OF_THE_FORM = frozenset({RULE, MAX_ORDER, FLOOR, CAP})
RULES = {
    "crossing": N_("where both curves cross"),
    "average_bid": N_("mean of the bids that trade"),
}
FIXED_PRICE = {"fixed_price": N_("a fixed price")}
"""Needs a term the form has no field for, so it is offered where it is pinned already."""


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """The form's values, None for what is not pinned; `kept` has no field."""

    is_set: bool
    rule: str
    rules: Mapping[str, str]
    max_order_wh: int | None
    floor_utoken_per_kwh: int | None
    cap_utoken_per_kwh: int | None
    kept: Mapping[str, Any]


def market_terms(records: LedgerRecords) -> MarketTerms:
    """What is pinned now; the hourly schedule where nothing is."""
    found = records.find(MarketDefaults, keys.market_defaults())
    pinned: Mapping[str, Any] = found.parameters if found is not None else {"preset": "hourly"}
    rule = str(pinned.get(RULE, "crossing"))
    return MarketTerms(
        is_set=found is not None,
        rule=rule,
        rules=RULES | (FIXED_PRICE if rule in FIXED_PRICE else {}),
        max_order_wh=pinned.get(MAX_ORDER),
        floor_utoken_per_kwh=pinned.get(FLOOR),
        cap_utoken_per_kwh=pinned.get(CAP),
        kept={name: value for name, value in pinned.items() if name not in OF_THE_FORM},
    )

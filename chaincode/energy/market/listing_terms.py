"""What a listing fixes when it opens: rule, prices, limits, instants. Pure checks of parameters.

A community pins its own defaults with `listings:set_defaults`; what an opening gives comes on top
of them. Prices in micro-tokens per kWh, energy in Wh, instants in ms UTC.
"""

from collections.abc import Mapping
from typing import Any

from chaincode.energy import arguments
from chaincode.energy.arguments import ENERGY_WH_MAX, PRICE_UTOKEN_PER_KWH_MAX, bad
from chaincode.energy.hours import TIME_MS_MAX
from chaincode.energy.market.auction_terms import AUCTION_TERMS, auction_terms
from chaincode.energy.market.clearing import RATIONS, RULE_VERSION
from chaincode.energy.market.direct_trade import ALLOWS_DIRECT_TRADE
from chaincode.energy.market.matching import RULES
from chaincode.energy.market.records import Listing, ListingState
from chaincode.energy.market.settlement_terms import SETTLEMENT_TERMS, settlement_terms
from chaincode.energy.market.timing import INSTANTS, PRESETS, Timing, preset_timing

DEFAULT_MAX_ORDER_WH = 10_000
DEFAULT_READING_TOLERANCE_MS = 60_000
READING_TOLERANCE_MS_MAX = 15 * 60_000
DEFAULT_K = "1/2"
MARGINAL_BID = "1"
CLOCK_MEMBERS_MAX = 64
FORFEIT_ORDERS_MAX = 1_000

FLOOR, CAP = "floor_utoken_per_kwh", "cap_utoken_per_kwh"
_OF_ONE_LISTING = frozenset({*INSTANTS, "reveal_until_ms", "readings_due_ms"})
PARAMETERS = frozenset(
    {
        "preset",
        "utc_offset_minutes",
        "rule",
        "k",
        "ration",
        FLOOR,
        CAP,
        "max_order_wh",
        "reading_tolerance_ms",
        "is_sealed",
        "sealed_forfeit_orders",
        "clock_members",
        ALLOWS_DIRECT_TRADE,
        *SETTLEMENT_TERMS,
        *AUCTION_TERMS,
        *_OF_ONE_LISTING,
    }
)
"""Everything an opening may give."""
DEFAULTABLE = PARAMETERS - _OF_ONE_LISTING
"""What a community may pin for all its listings."""


def preset_of(given: Mapping[str, Any]) -> str:
    """The named schedule."""
    return arguments.one_of(given.get("preset", "hourly"), "preset", PRESETS)


def timing_of(given: Mapping[str, Any], listing_id: str) -> Timing:
    """The preset's instants, each replaced by the one given; `custom` needs them all."""
    offset = arguments.number_in(given, "utc_offset_minutes", 0)
    try:
        default = preset_timing(preset_of(given), listing_id, utc_offset_minutes=offset)
    except ValueError as error:
        bad(str(error))
    chosen = {
        name: arguments.not_negative(
            arguments.number_in(given, name, getattr(default, name) if default else None),
            name,
            at_most=TIME_MS_MAX,
        )
        for name in INSTANTS
    }
    timing = Timing(**chosen)
    if not timing.in_order:
        bad("the phases of the listing are not in order")
    return timing


def listing_from(
    given: Mapping[str, Any], *, listing_id: str, opened_by_tx: str, has_stale_price: bool
) -> Listing:
    """A new listing of these parameters; refuses a missing, unknown or impossible one."""
    preset, timing = preset_of(given), timing_of(given, listing_id)
    floor, cap = _price(given, FLOOR), _price(given, CAP)
    if floor > cap:
        bad(f"{FLOOR} is above {CAP}")
    rule = arguments.one_of(given.get("rule", "crossing"), "rule", RULES)
    default_k = MARGINAL_BID if preset == "energy_auction" else DEFAULT_K
    max_order_wh = arguments.number_in(given, "max_order_wh", DEFAULT_MAX_ORDER_WH)
    tolerance_ms = arguments.number_in(given, "reading_tolerance_ms", DEFAULT_READING_TOLERANCE_MS)
    is_sealed = arguments.truth_in(given, "is_sealed", default=False)
    allows_direct_trade = arguments.truth_in(given, ALLOWS_DIRECT_TRADE, default=True)
    if is_sealed and not allows_direct_trade:
        bad("sealed orders need direct trade")
    terms: dict[str, Any] = {
        **settlement_terms(given, settlement_end_ms=timing.settlement_end_ms),
        **auction_terms(given, rule=rule, floor=floor, cap=cap),
    }
    return Listing(
        listing_id=listing_id,
        state=ListingState.AUTHORIZE_OFFERS,
        preset=preset,
        rule=rule,
        rule_version=RULE_VERSION,
        k=arguments.fraction(given.get("k", default_k), "k"),
        ration=arguments.one_of(given.get("ration", "fifo"), "ration", RATIONS),
        floor_utoken_per_kwh=floor,
        cap_utoken_per_kwh=cap,
        max_order_wh=arguments.positive(max_order_wh, "max_order_wh", at_most=ENERGY_WH_MAX),
        opens_at_ms=timing.opens_at_ms,
        gate_closure_ms=timing.gate_closure_ms,
        delivery_start_ms=timing.delivery_start_ms,
        delivery_end_ms=timing.delivery_end_ms,
        settlement_end_ms=timing.settlement_end_ms,
        reading_tolerance_ms=arguments.not_negative(
            tolerance_ms, "reading_tolerance_ms", at_most=READING_TOLERANCE_MS_MAX
        ),
        opened_by_tx=opened_by_tx,
        is_sealed=is_sealed,
        reveal_until_ms=_reveal_until(given, timing, is_sealed=is_sealed),
        clock_members=_count(given, "clock_members", at_most=CLOCK_MEMBERS_MAX),
        has_stale_price=has_stale_price,
        allows_direct_trade=allows_direct_trade,
        sealed_forfeit_orders=_count(given, "sealed_forfeit_orders", at_most=FORFEIT_ORDERS_MAX),
        **terms,
    )


def _count(given: Mapping[str, Any], name: str, *, at_most: int) -> int:
    """A number from 1 on, 1 if it is not given."""
    return arguments.positive(arguments.number_in(given, name, 1), name, at_most=at_most)


def _price(given: Mapping[str, Any], name: str) -> int:
    price = arguments.number_in(given, name)
    return arguments.not_negative(price, name, at_most=PRICE_UTOKEN_PER_KWH_MAX)


def _reveal_until(given: Mapping[str, Any], timing: Timing, *, is_sealed: bool) -> int:
    """Half of the time between gate closure and delivery, unless given."""
    if not is_sealed:
        return timing.gate_closure_ms
    middle_ms = (timing.gate_closure_ms + timing.delivery_start_ms) // 2
    until_ms = arguments.number_in(given, "reveal_until_ms", middle_ms)
    if not timing.gate_closure_ms < until_ms <= timing.delivery_start_ms:
        bad("sealed orders need time to be revealed between gate closure and delivery")
    return until_ms

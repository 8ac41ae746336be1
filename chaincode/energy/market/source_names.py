"""Orders in the words of the source documents: field names, kWh with decimals (docs/orders.md).

`RESOffer {reservePrice, kWhavailable, listingid, RESid, producer}` and
`BUYOffer {BidPrice, kWhQuantity, listingid, consumer}` (003:768). Energy is kWh as a decimal text
or a whole number and must be exact to the Wh; prices are whole micro-tokens per kWh.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from chaincode.energy import arguments
from chaincode.energy.arguments import bad
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.placing import BID, OFFER, Wish
from chaincode.energy.market.records import Listing, MarketOrder

WH_PER_KWH = 1000
_DECIMAL_KWH = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,12}))?")
_OFFER_FIELDS = frozenset({"reservePrice", "kWhavailable", "listingid", "RESid", "producer"})
_BID_FIELDS = frozenset({"BidPrice", "kWhQuantity", "listingid", "consumer"})


def wh_from_kwh(value: object, what: str) -> int:
    """`"2.5"` -> 2500; refuses what is not exact to the Wh, a missing value as ENERGY_MISSING."""
    if value is None or value == "":
        raise refused(Refusal.ENERGY_MISSING, what)
    if isinstance(value, int) and not isinstance(value, bool):
        return value * WH_PER_KWH
    found = _DECIMAL_KWH.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        bad(f"{what} must be kWh as a decimal text such as 2.5")
    decimals = (found[2] or "").ljust(3, "0")
    if decimals[3:].strip("0"):
        bad(f"{what} is not a whole number of Wh")
    return int(found[1]) * WH_PER_KWH + int(decimals[:3])


def kwh_from_wh(energy_wh: int) -> str:
    """2500 -> `"2.5"`: the shortest text that `wh_from_kwh` reads back."""
    whole, rest = divmod(energy_wh, WH_PER_KWH)
    return f"{whole}.{rest:03}".rstrip("0").rstrip(".")


def offer_wish(given: object, *, idgrid: str) -> Wish:
    """The wish behind a RESOffer; `producer` must be the caller."""
    members = arguments.checked_object(given, "RESOffer", _OFFER_FIELDS)
    _require_own(members, "producer", idgrid)
    return Wish(
        listing_id=arguments.identifier_of(members.get("listingid"), "listingid"),
        side=OFFER,
        energy_wh=wh_from_kwh(members.get("kWhavailable"), "kWhavailable"),
        price_utoken_per_kwh=arguments.number_in(members, "reservePrice"),
        res_id=arguments.identifier_of(members.get("RESid"), "RESid"),
    )


def bid_wish(given: object, *, idgrid: str) -> Wish:
    """The wish behind a BUYOffer; `consumer` must be the caller."""
    members = arguments.checked_object(given, "BUYOffer", _BID_FIELDS)
    _require_own(members, "consumer", idgrid)
    return Wish(
        listing_id=arguments.identifier_of(members.get("listingid"), "listingid"),
        side=BID,
        energy_wh=wh_from_kwh(members.get("kWhQuantity"), "kWhQuantity"),
        price_utoken_per_kwh=arguments.number_in(members, "BidPrice"),
    )


def in_source_names(order: MarketOrder) -> dict[str, object]:
    """An order with the documents' field names, and its id."""
    common: dict[str, object] = {"listingid": order.listing_id, "order_id": order.order_id}
    energy_kwh, price = kwh_from_wh(order.energy_wh), order.price_utoken_per_kwh
    if order.side == OFFER:
        return common | {
            "reservePrice": price,
            "kWhavailable": energy_kwh,
            "producer": order.idgrid,
            "RESid": order.res_id,
        }
    return common | {"BidPrice": price, "kWhQuantity": energy_kwh, "consumer": order.idgrid}


def listing_in_source_names(listing: Listing, own: Sequence[MarketOrder]) -> dict[str, object]:
    """A listing (kWhoffer, kWhlisting) with the orders of one household."""
    return {
        "listingid": listing.listing_id,
        "state": listing.state,
        "RetailPrice": listing.cap_utoken_per_kwh,
        "RESOffer": [in_source_names(order) for order in own if order.side == OFFER],
        "BuyOffer": [in_source_names(order) for order in own if order.side == BID],
    }


def _require_own(members: Mapping[str, Any], name: str, idgrid: str) -> None:
    named = arguments.text_in(members, name)
    if named != idgrid:
        raise refused(Refusal.NOT_YOURS, f"{name} is {named[:64]}, the caller {idgrid}")

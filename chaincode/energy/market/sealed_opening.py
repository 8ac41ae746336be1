"""What a sealed order commits to, and what it locks. Pure.

Before the gate closes the ledger holds a hash and a deposit that is the same for every order of
the listing; side, energy, price, source and preferences are in the hash only (docs/orders.md).
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from chaincode.energy import arguments
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.placing import BID, OFFER, Wish, preferences
from chaincode.energy.market.rationing import amount_rounded_up
from chaincode.energy.market.records import Listing
from chaincode.energy.market.settlement_terms import locked_for

_SALT = re.compile(r"[0-9a-f]{64}")
_FIELDS = frozenset({"side", "energy_wh", "price_utoken_per_kwh", "res_id", "preferred", "salt"})


def commitment(*, idgrid: str, wish: Wish, salt: str) -> str:
    """SHA-256, in hex, of one line of ASCII; no field may contain `|` or a comma.

    `gridledger-order-1|listing|idgrid|side|energy_wh|price|res_id|preferred,preferred|salt`.
    The salt is 32 random bytes in hex: without it the few likely orders could be tried out. It
    names listing and household, so nobody can pass another's hash off as an order of its own.
    """
    line = (
        f"gridledger-order-1|{wish.listing_id}|{idgrid}|{wish.side}|{wish.energy_wh}"
        f"|{wish.price_utoken_per_kwh}|{wish.res_id}|{','.join(wish.preferred)}|{salt}"
    )
    return sha256(line.encode("ascii")).hexdigest()


def opened(given: object, *, listing_id: str, idgrid: str, committed: str) -> Wish:
    """The wish in an opening; refuses one that does not fit the commitment."""
    members = arguments.checked_object(given, "opening", _FIELDS)
    wish, salt = _wish(members, listing_id), arguments.text_in(members, "salt")
    if _SALT.fullmatch(salt) is None:
        arguments.bad("salt must be 64 hexadecimal digits in lower case")
    if commitment(idgrid=idgrid, wish=wish, salt=salt) != committed:
        raise refused(Refusal.BAD_OPENING, f"{listing_id}, {idgrid}")
    return wish


def deposit_utoken(listing: Listing) -> int:
    """Micro-tokens every sealed order locks: what any order could cost, or forfeit, at most."""
    dearest = locked_for(
        listing,
        energy_wh=listing.max_order_wh,
        price_utoken_per_kwh=listing.cap_utoken_per_kwh,
    )
    return max(dearest, forfeit_utoken(listing))


def forfeit_utoken(listing: Listing) -> int:
    """Micro-tokens an order that is not revealed costs: the most its owner could gain by hiding.

    The largest order of the listing times the distance of cap and floor; every price at which
    anything can trade lies between them. Who has several orders gains with all of them by hiding
    one: `sealed_forfeit_orders` is how many orders one owner may have in the listing.
    """
    return listing.sealed_forfeit_orders * amount_rounded_up(
        energy_wh=listing.max_order_wh,
        price_utoken_per_kwh=listing.cap_utoken_per_kwh - listing.floor_utoken_per_kwh,
    )


def _wish(members: Mapping[str, Any], listing_id: str) -> Wish:
    side = arguments.one_of(members.get("side"), "side", (OFFER, BID))
    res_id = arguments.text_in(members, "res_id", "")
    preferred = members.get("preferred", [])
    if not isinstance(preferred, list):
        arguments.bad("preferred must be a list")
    if (side == OFFER) != bool(res_id):
        arguments.bad("an offer names its source, a bid none")
    if res_id:
        arguments.identifier(res_id, "res_id")
    return Wish(
        listing_id=listing_id,
        side=side,
        energy_wh=arguments.number_in(members, "energy_wh"),
        price_utoken_per_kwh=arguments.number_in(members, "price_utoken_per_kwh"),
        res_id=res_id,
        preferred=preferences(preferred),
        source="sealed",
    )

"""Words for states: of listings, orders, registry entries, marketplace posts."""

from collections.abc import Mapping

from chaincode.energy.market.records import Listing
from gateway.books.order_progress import OrderState, Reason
from gateway.hems.plausibility import Doubt
from gateway.readmodel.records import ListingSummary
from gateway.web.languages import N_

TAKING_ORDERS = "AUTHORIZE_OFFERS"
"""A listing's first state on the ledger; orders are refused in it until `opens_at_ms`."""
LISTING_STATES: Mapping[str, str] = {
    TAKING_ORDERS: N_("taking orders"),
    "REVEALING": N_("orders are being revealed"),
    "BIDS_CLOSED": N_("gate closed"),
    "CLEARING": N_("clearing"),
    "CLEARED": N_("cleared"),
    "DELIVERING": N_("delivering"),
    "SETTLING": N_("settling"),
    "SETTLED": N_("settled"),
    "DISPUTED": N_("disputed"),
    "CANCELLED": N_("cancelled"),
}


def opens_later(listing: Listing | ListingSummary, now_ms: int) -> bool:
    """Whether a listing is announced and takes no orders yet; `now_ms` in ms UTC."""
    return listing.state == TAKING_ORDERS and now_ms < listing.opens_at_ms


def listing_state(listing: Listing | ListingSummary, now_ms: int) -> str:
    """What a listing does at `now_ms` (ms UTC), to be translated; an unknown state as it is."""
    if opens_later(listing, now_ms):
        return N_("opens later")
    return LISTING_STATES.get(listing.state, listing.state)


DOUBT_TEXTS: Mapping[str, str] = {
    Doubt.MALFORMED: N_("the message is no reading"),
    Doubt.FOREIGN_METER: N_("the device spoke for another meter"),
    Doubt.UNKNOWN_METER: N_("the meter was not registered and approved"),
    Doubt.BAD_SIGNATURE: N_("the meter's key did not sign it: somebody else sent or changed it"),
    Doubt.REPLAYED: N_("an old reading was sent again"),
    Doubt.CONFLICTING: N_("another reading with its number is stored"),
    Doubt.CLOCK_AHEAD: N_("its time was in the future: the meter's clock is wrong"),
    Doubt.CLOCK_BEHIND: N_("its time was too long ago: the meter's clock is wrong"),
    Doubt.CLOCK_ORDER: N_("its time does not fit the readings before and after it"),
    Doubt.REGISTER_BACK: N_("a register ran backwards"),
    Doubt.REGISTER_JUMP: N_("a register grew by more than the connection can carry"),
}
"""Why a reading was set aside."""
ORDER_STATES: Mapping[OrderState, str] = {
    OrderState.OPEN: N_("on the ledger"),
    OrderState.GATE_CLOSED: N_("gate closed"),
    OrderState.MATCHED: N_("matched"),
    OrderState.PARTLY_MATCHED: N_("partly matched"),
    OrderState.NOT_MATCHED: N_("not matched"),
    OrderState.DELIVERING: N_("delivering"),
    OrderState.SETTLED: N_("settled"),
    OrderState.DISPUTED: N_("disputed"),
    OrderState.STOPPED: N_("listing stopped"),
    OrderState.CANCELLED: N_("cancelled"),
    OrderState.INVALID: N_("not accepted"),
}
STATE_TONES: Mapping[OrderState, str] = {
    OrderState.MATCHED: "good",
    OrderState.SETTLED: "good",
    OrderState.PARTLY_MATCHED: "warn",
    OrderState.DISPUTED: "warn",
    OrderState.NOT_MATCHED: "warn",
    OrderState.STOPPED: "bad",
    OrderState.INVALID: "bad",
}
"""Beside the word, never instead of it."""
REASONS: Mapping[Reason, str] = {
    Reason.NOTHING_TRADED: N_("no bid met an offer in this hour"),
    Reason.BID_BELOW_PRICE: N_("the price came out above what you wanted to pay"),
    Reason.OFFER_ABOVE_PRICE: N_("the price came out below what you asked"),
    Reason.OTHERS_FIRST: N_(
        "there was not enough on the other side; earlier or better orders came first"
    ),
    Reason.LINE_LIMIT: N_("the line could not carry more"),
    Reason.TAKEN_BACK: N_("taken back before the gate closed"),
}
REGISTRY_STATES: Mapping[str, str] = {
    "pending": N_("waits for approval"),
    "approved": N_("approved"),
    "suspended": N_("suspended"),
    "exited": N_("left"),
}
ROLES: Mapping[str, str] = {
    "consumer": N_("buys"),
    "prosumer": N_("buys and sells"),
    "generator": N_("sells"),
    "community_manager": N_("community manager"),
    "dso": N_("grid operator"),
    "operator": N_("control centre"),
    "utility": N_("utility"),
    "oracle": N_("oracle"),
    "scheduler": N_("timetable"),
    "auditor": N_("auditor"),
    "notifier": N_("notices by e-mail"),
}
CONNECTION_KINDS: Mapping[str, str] = {
    "household": N_("household"),
    "public_lighting": N_("public lighting"),
    "ev_charger": N_("charger for cars"),
    "non_residential": N_("other building"),
    "community_plant": N_("community plant"),
}
DEVICE_KINDS: Mapping[str, str] = {
    "meter": N_("meter"),
    "battery": N_("battery"),
    "plug": N_("plug"),
}
POST_LABELS: Mapping[str, str] = {
    "Buy": N_("Buy"),
    "Delete": N_("Delete"),
    "Purchased": N_("Purchased"),
    "Request to Sell": N_("Request to Sell"),
    "Requested for Sell": N_("Requested for Sell"),
    "Sold": N_("Sold"),
    "Reserved": N_("Reserved"),
    "Deleted": N_("Deleted"),
    "Expired": N_("Expired"),
}
FOUND_KINDS: Mapping[str, str] = {
    "block": N_("Block"),
    "transaction": N_("Transaction"),
    "household": N_("Household"),
    "listing": N_("Hour"),
    "member": N_("Member"),
    "function": N_("Function"),
}
"""Of hits of a search (`gateway.readmodel.records.Found`)."""
SOURCE_TYPES: Mapping[str, str] = {
    "solar": N_("solar"),
    "wind": N_("wind"),
    "hydro": N_("hydro"),
    "biomass": N_("biomass"),
    "ev": N_("electric car"),
    "other": N_("other source"),
    "battery": N_("battery"),
}

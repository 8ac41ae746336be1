"""Every state key of the energy contracts, in one place.

Parts are joined with `~`, which no identifier may contain, so no key is a prefix of a stranger's
key. No key is both written by many and read by many: orders, escrows, payouts and deposits have
one key each, and an account is written only by its owner's own orders (docs/market.md, "Keys").
"""

from chaincode.energy.hours import TIME_MS_MAX

_SEPARATOR = "~"
_AFTER_SEPARATOR = chr(ord(_SEPARATOR) + 1)
_TIME_DIGITS = len(str(TIME_MS_MAX))
_REVISION_DIGITS = 3
_PAGE_DIGITS = 4
_DATE_SEPARATOR = "-"

COMMUNITY = "community"
SHARING_HISTORY = "sharinghistory"
PERSON_INDEX = "personindex"
"""Private: the secret under which e-mail addresses are indexed."""
ORACLE_PANEL = "oraclepanel"


def participant(idgrid: str) -> str:
    """Registry record of a participant."""
    return _key("participant", idgrid)


def res(res_id: str) -> str:
    """Registry record of a renewable energy source."""
    return _key("res", res_id)


def meter(meter_id: str) -> str:
    """Registry record of a meter and its public key."""
    return _key("meter", meter_id)


def connection_meter(idgrid: str, meter_id: str, from_ms: int) -> str:
    """Index: a meter at a participant's grid connection, which settlement reads."""
    return _key("connection", idgrid, meter_id, str(from_ms).zfill(_TIME_DIGITS))


def access(owner_idgrid: str, grantee: str) -> str:
    """What an owner lets a grantee read; written by the owner only."""
    return _key("access", owner_idgrid, grantee)


def person(idgrid: str) -> str:
    """Private: name and e-mail of a participant."""
    return _key("person", idgrid)


def person_email(index: str) -> str:
    """Private: the IDgrid whose e-mail has this index (`registry/person_records.py`)."""
    return _key("email", index)


def contract_use(idgrid: str) -> str:
    """Orders used up of a contract that limits them; written by the participant's orders only."""
    return _key("contractuse", idgrid)


def meter_head(meter_id: str) -> str:
    """The last accepted reading of a meter; written by its own reports only."""
    return _key("meterhead", meter_id)


def reading(meter_id: str, t_end_ms: int) -> str:
    """One accepted reading; times are padded so that keys sort by time."""
    return _key("reading", meter_id, str(t_end_ms).zfill(_TIME_DIGITS))


def account(idgrid: str) -> str:
    """Free balance of a participant, without payouts not yet folded in."""
    return _key("account", idgrid)


def deposit(tx_id: str) -> str:
    """Proof of supply: who issued how much to whom; never changed."""
    return _key("deposit", tx_id)


def redemption(tx_id: str) -> str:
    """Who gave back how much; never changed."""
    return _key("redemption", tx_id)


def payout(idgrid: str, source: str, reference: str) -> str:
    """Money on its way to a participant's balance. `source`: deposit, clear or settle."""
    return _key("payout", idgrid, source, reference)


def escrow(idgrid: str, listing_id: str, order_id: str) -> str:
    """Money locked by one bid."""
    return _key("escrow", idgrid, listing_id, order_id)


def listing(listing_id: str) -> str:
    """Header and state of a listing: read by every order, written by its few phase changes."""
    return _key("listing", listing_id)


def order(listing_id: str, idgrid: str, order_id: str) -> str:
    """One offer or bid; `order_id` is the id of the transaction that placed it."""
    return _key("order", listing_id, idgrid, order_id)


def own_orders(listing_id: str, idgrid: str) -> str:
    """A household's orders in a listing added up; written by its own orders and its group's."""
    return _key("own", listing_id, idgrid)


def promised(idgrid: str, res_id: str) -> str:
    """Energy a household's battery has promised; written by its own offers only."""
    return _key("promised", idgrid, res_id)


def seen(listing_id: str, state: str, mspid: str) -> str:
    """A member saw a phase of the listing end."""
    return _key("seen", listing_id, state, mspid)


def sealed_order(listing_id: str, idgrid: str, order_id: str) -> str:
    """A sealed order that is not revealed."""
    return _key("sealed", listing_id, idgrid, order_id)


def standing(idgrid: str, standing_id: str) -> str:
    """An order for many listings."""
    return _key("standing", idgrid, standing_id)


def standing_use(idgrid: str, standing_id: str) -> str:
    """How much of a standing order is used up; written by the orders made from it only."""
    return _key("standinguse", idgrid, standing_id)


def agent_use(idgrid: str, fingerprint: str, day: str) -> str:
    """Energy an agent's key ordered for a day's deliveries; written by its own orders only."""
    return _key("agentuse", idgrid, fingerprint, day)


def made_order(listing_id: str, idgrid: str, name: str) -> str:
    """A standing order, or the profile, has made its order in a listing."""
    return _key("made", listing_id, idgrid, name)


def profile(first_listing_id: str, idgrid: str) -> str:
    """Newest revision of a household's 24 hours; keys sort by their first hour."""
    return _key("profile", first_listing_id, idgrid)


def profile_revision(idgrid: str, first_listing_id: str, revision: int) -> str:
    """One revision of a profile; never changed."""
    return _key("profilerevision", idgrid, first_listing_id, str(revision).zfill(9))


def group(group_id: str) -> str:
    """A group of households that orders as one (virtual power plant)."""
    return _key("group", group_id)


def group_member(group_id: str, idgrid: str) -> str:
    """A household's place and balance in a group."""
    return _key("groupmember", group_id, idgrid)


def group_invitation(group_id: str, idgrid: str) -> str:
    """The group's manager lets a household join; written by the manager, removed by joining."""
    return _key("groupinvitation", group_id, idgrid)


def group_unsplit(group_id: str, listing_id: str) -> str:
    """The group has ordered in a listing that is not split among its members yet."""
    return _key("groupunsplit", group_id, listing_id)


def group_split(group_id: str, listing_id: str) -> str:
    """How a group's settled hour was split among its members."""
    return _key("groupsplit", group_id, listing_id)


def stop(listing_id: str) -> str:
    """Who stopped a listing, why, and how far its money is back."""
    return _key("stop", listing_id)


def market_defaults() -> str:
    """What a community has pinned for its listings."""
    return "marketdefaults"


def denial(listing_id: str, idgrid: str, tx_id: str) -> str:
    """Record of an offer the battery could not cover."""
    return _key("denial", listing_id, idgrid, tx_id)


def arrivals(listing_id: str) -> str:
    """Written blindly by every order and never read as state: its history is the ledger order."""
    return _key("arrivals", listing_id)


def tally(listing_id: str, from_idgrid: str) -> str:
    """A page of a large closed book, from this household on ("": the first)."""
    return _key("tally", listing_id, from_idgrid)


def fills(listing_id: str, from_idgrid: str) -> str:
    """What the auction decided about the orders of that page."""
    return _key("fills", listing_id, from_idgrid)


def released(listing_id: str, from_idgrid: str) -> str:
    """The escrows of that page are released."""
    return _key("released", listing_id, from_idgrid)


def pending_order(listing_id: str, idgrid: str, request_id: str) -> str:
    """An order that waits, or waited, for the operator's approval."""
    return _key("pending", listing_id, idgrid, request_id)


def result(listing_id: str) -> str:
    """What the auction of a listing decided."""
    return _key("result", listing_id)


def settlement(listing_id: str) -> str:
    """Totals of a settled listing."""
    return _key("settlement", listing_id)


def settlement_line(idgrid: str, listing_id: str) -> str:
    """One household's line of a settled listing; sorts by time under the household."""
    return _key("line", idgrid, listing_id)


def oracle_request(request_id: str) -> str:
    """One question to the oracles; written when asked and when decided."""
    return _key("oraclerequest", request_id)


def open_request(request_id: str) -> str:
    """Index: an oracle request that nobody has decided or marked as expired."""
    return _key("openrequest", request_id)


def oracle_answer(request_id: str, mspid: str) -> str:
    """What one member's oracle answered; written once, by it."""
    return _key("oracleanswer", request_id, mspid)


def charge(battery_id: str) -> str:
    """Agreed state of charge of a battery; written by fulfilled requests, read by its offers."""
    return _key("charge", battery_id)


def anchor(mspid: str, series: str, number: int) -> str:
    """The hash of one batch of a member's data off the ledger; written once."""
    return _key("anchor", mspid, series, str(number).zfill(_TIME_DIGITS))


def anchor_head(mspid: str, series: str) -> str:
    """The newest anchor of a series; written by its member only."""
    return _key("anchorhead", mspid, series)


def price(series: str, effective_from_ms: int) -> str:
    """One price of a series; times are padded so that keys sort by time."""
    return _key("price", series, str(effective_from_ms).zfill(_TIME_DIGITS))


def price_series(series: str) -> str:
    """When the newest prices of a series take effect."""
    return _key("priceseries", series)


def price_alarm(listing_id: str) -> str:
    """Why the retail price a listing pinned cannot be trusted any more; written once."""
    return _key("pricealarm", listing_id)


def post(hour: str, number: str) -> str:
    """One offer or request of the marketplace, under its delivery hour."""
    return _key("post", hour, number)


def own_post(idgrid: str, hour: str, post_id: str) -> str:
    """Index: what a household has posted for a delivery hour."""
    return _key("ownpost", idgrid, hour, post_id)


def deal(idgrid: str, hour: str, post_id: str) -> str:
    """Index: what a household has sold or bought on the marketplace for a delivery hour."""
    return _key("deal", idgrid, hour, post_id)


def correction(idgrid: str, listing_id: str, revision: int) -> str:
    """What a correction changed in one household's line; sorts under the household."""
    return _key("correction", idgrid, listing_id, str(revision).zfill(_REVISION_DIGITS))


def settlement_page(listing_id: str, revision: int, page: int) -> str:
    """A part of a settlement that one transaction pays; kept as the account of it."""
    return _key("settlepage", listing_id, *_page_parts(revision, page))


def unpaid_page(listing_id: str, revision: int, page: int) -> str:
    """There while a page is not paid; its payment removes it, so it is paid once."""
    return _key("unpaid", listing_id, *_page_parts(revision, page))


def substitute(listing_id: str, idgrid: str) -> str:
    """Energy of a delivery period as the grid operator states it."""
    return _key("substitute", listing_id, idgrid)


def dispute(listing_id: str, idgrid: str) -> str:
    """A household's dispute of a settlement."""
    return _key("dispute", listing_id, idgrid)


def non_delivery(idgrid: str, listing_id: str) -> str:
    """A match that was not delivered or taken in full; sorts by time under the household."""
    return _key("nondelivery", idgrid, listing_id)


def reputation(idgrid: str) -> str:
    """How a household kept its matches; written by settlements only."""
    return _key("reputation", idgrid)


def statement_run(month: str) -> str:
    """The monthly statements of all households: how far they are, and what they add up to."""
    return _key("statementrun", month)


def statement(idgrid: str, month: str, run: int) -> str:
    """One household's month, as one run found it."""
    return _key("statement", idgrid, month, str(run).zfill(_REVISION_DIGITS))


def sharing_key(version: int) -> str:
    """One version of the sharing key; sorts by version."""
    return _key("sharingkey", str(version).zfill(_REVISION_DIGITS + 2))


def sharing_result(listing_id: str) -> str:
    """A listing's metered energy shared by the key in force."""
    return _key("sharing", listing_id)


def energy_token(token_id: str) -> str:
    """What a producer fed in during one delivery period, as a token."""
    return _key("energytoken", token_id)


def minted(meter_id: str, from_ms: int) -> str:
    """A meter's period that is minted."""
    return _key("minted", meter_id, str(from_ms).zfill(_TIME_DIGITS))


def minted_before(meter_id: str, time_ms: int) -> tuple[str, str]:
    """Range of a meter's minted periods that begin before an instant."""
    return minted(meter_id, 0), minted(meter_id, time_ms)


def certificate(certificate_id: str) -> str:
    """Whose a part of a token's energy is."""
    return _key("certificate", certificate_id)


def held(idgrid: str, certificate_id: str) -> str:
    """Index: a certificate of its holder; sorts by hour."""
    return _key("held", idgrid, certificate_id)


def issue(listing_id: str, page: int) -> str:
    """One page of a listing's certificates is issued."""
    return _key("issue", listing_id, str(page).zfill(_PAGE_DIGITS))


def under(*parts: str) -> tuple[str, str]:
    """Start (inclusive) and end (exclusive) of all keys that begin with these parts."""
    prefix = _key(*parts)
    return prefix + _SEPARATOR, prefix + _AFTER_SEPARATOR


def readings_between(meter_id: str, from_ms: int, to_ms: int) -> tuple[str, str]:
    """Range of the readings of a meter with from_ms < t_end_ms <= to_ms."""
    return reading(meter_id, from_ms + 1), reading(meter_id, to_ms + 1)


def months_of(kind: str, *owner: str, month: str) -> tuple[str, str]:
    """Range of the keys of a kind (and owner) whose hours lie in a month `YYYY-MM`."""
    prefix = _key(kind, *owner, month)
    return prefix + _DATE_SEPARATOR, prefix + chr(ord(_DATE_SEPARATOR) + 1)


def first_part(key: str) -> str:
    """The kind of record under a key."""
    return key.partition(_SEPARATOR)[0]


def last_part(key: str) -> str:
    """What stands behind the last separator."""
    return key.rpartition(_SEPARATOR)[2]


def following(key: str) -> str:
    """Start of a range right behind a key."""
    return key + chr(1)


def _page_parts(revision: int, page: int) -> tuple[str, str]:
    return str(revision).zfill(_REVISION_DIGITS), str(page).zfill(_PAGE_DIGITS)


def _key(*parts: str) -> str:
    return _SEPARATOR.join(parts)

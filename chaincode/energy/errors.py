"""Why the energy contracts refuse a transaction: one table of codes, statuses and texts.

A refused transaction changes nothing. The status is the HTTP status a gateway would give; the
detail added by the contract names the identifier or the numbers concerned.
"""

from enum import Enum

from chaincode.shim.errors import ContractError

DETAIL_CHARACTERS_MAX = 800
"""Of a detail, which may repeat what the caller sent; ten households are named in less."""


class Refusal(Enum):
    """(status, what is wrong, for a person); the member's name is the stable code."""

    INVALID_ARGUMENT = (422, "an argument is missing, malformed or out of range")
    NOT_POSITIVE = (422, "energy, price and amount must be greater than zero")
    CAP_EXCEEDED = (422, "more energy than one household may order in one listing")
    ABOVE_RETAIL_PRICE = (422, "an offer may not ask more than the retail price of the listing")
    BELOW_FEED_IN_TARIFF = (422, "a bid must pay at least the feed-in tariff of the listing")
    INSUFFICIENT_FUNDS = (402, "the free balance does not cover the bid")
    ROLE_NOT_ALLOWED = (403, "the role in the certificate may not do this")
    NOT_REGISTERED = (403, "the IDgrid in the certificate is not registered")
    WRONG_MEMBER = (403, "the certificate was issued by another member")
    KEY_NOT_ACTIVE = (403, "the key may not sign for the participant: unknown, ended or too new")
    UNKNOWN_SIGNER = (404, "the participant has no such key, or it has ended")
    ALREADY_ENROLLED = (409, "the participant has keys; a lost one is recovered, not enrolled")
    RECOVERY_PENDING = (409, "a recovery of this participant waits for its time already")
    TOO_MANY_SIGNERS = (409, "the participant has as many keys as it may have")
    NOT_APPROVED = (403, "the operator has not approved it yet")
    NO_DATA_ACCESS = (403, "the owner has not granted access to the meter")
    CONSENT_REQUIRED = (403, "the participant has not consented to the terms")
    NOT_AUTHORISED = (403, "the owner has not authorised the source for trading")
    SUSPENDED = (403, "the participant is suspended")
    EXITED = (403, "the participant has left the community")
    NO_CONTRACT = (403, "the participant's contract is not in force")
    LIMIT = (409, "the contract allows no more orders")
    WRONG_STATUS = (409, "the participant is not in a state in which this is possible")
    UNKNOWN_GRANT = (404, "there is no such grant")
    NOT_OFFERED = (403, "the owner has not offered the device to you")
    TOO_FEW_METERS = (403, "a sum over so few meters would give a household away")
    UNKNOWN_PERSON = (404, "no personal data are kept")
    EMAIL_TAKEN = (409, "another participant uses this e-mail")
    PERSON_MISMATCH = (409, "the registry holds another hash of the personal data")
    NO_INDEX_KEY = (409, "the secret for the e-mail index is not set")
    RES_REQUIRED = (403, "an offer needs an approved energy source of the seller")
    NOT_YOURS = (403, "it belongs to somebody else")
    UNKNOWN_PARTICIPANT = (404, "there is no participant with this IDgrid")
    UNKNOWN_RES = (404, "there is no energy source with this id")
    UNKNOWN_METER = (404, "there is no meter with this id")
    UNKNOWN_LISTING = (404, "there is no listing for this hour")
    NOT_CLEARED = (409, "the listing is not cleared yet")
    NOT_SETTLED = (409, "the listing is not settled yet")
    ALREADY_EXISTS = (409, "it is registered already; identifiers are never used twice")
    METER_REQUIRED = (409, "the grid connection has no approved meter")
    NOT_OPEN_YET = (409, "the listing does not take orders yet")
    BIDS_CLOSED = (409, "the listing takes no more orders")
    TOO_MANY_ORDERS = (409, "too many orders of one household in one listing")
    DIRECT_TRADE_FORBIDDEN = (
        403,
        "the country's rules do not allow trade between members; offers are fed in",
    )
    SELF_TRADE = (409, "a household either sells or buys in one listing")
    TOO_EARLY = (409, "the time for this phase has not come")
    TOO_LATE = (409, "the time for this has passed")
    ALREADY_SETTLED = (409, "the listing is settled; settlement happens once")
    READINGS_MISSING = (409, "meter readings at the ends of the delivery period are missing")
    PAGE_NOT_PLANNED = (404, "the settlement of this listing has no such page")
    NOTHING_TO_CORRECT = (409, "the readings give the settlement that is there already")
    NOT_CORRECTED = (409, "a dispute is upheld by correcting the settlement first")
    STILL_PAYING = (409, "pages of the settlement are not paid yet; settle again to go on")
    NOT_A_PARTY = (403, "only a household with a line in the settlement may dispute it")
    ALREADY_DISPUTED = (409, "this household has disputed the settlement already")
    DISPUTE_TOO_LATE = (409, "the time to dispute the settlement has passed")
    UNKNOWN_DISPUTE = (404, "there is no open dispute of this household in this listing")
    DISPUTE_UNDECIDED = (409, "a dispute is open and its deadline has not passed")
    POOL_TOO_SMALL = (402, "the account of the community does not hold that much")
    PERIOD_NOT_OVER = (409, "the month is not over yet")
    PERIOD_NOT_SETTLED = (409, "a listing of the month is not settled, or is disputed")
    NO_STATEMENT = (404, "no statement is issued for this household and month")
    OUT_OF_BALANCE = (409, "statements and settlements of the month differ; nothing is issued")
    BAD_READING_SIGNATURE = (422, "the reading is not signed by the registered key of the meter")
    REGISTER_DECREASED = (422, "a cumulative register cannot run backwards")
    READING_IN_THE_FUTURE = (422, "the reading's period ends later than now")
    READING_OUT_OF_ORDER = (409, "a later reading of this meter is recorded already")
    # orders and listings
    ENERGY_MISSING = (422, "Energy must be specified")
    OFFER_PRICE_NOT_POSITIVE = (422, "Product price must be greater than zero")
    BID_PRICE_NOT_POSITIVE = (422, "Price must be greater than zero")
    IN_A_GROUP = (409, "a group orders for this household in the listing")
    LISTING_CANCELLED = (409, "the listing was cancelled in an emergency stop")
    SEALED_ONLY = (409, "the listing takes sealed orders only")
    NOT_SEALED = (409, "the listing takes open orders only")
    UNKNOWN_GROUP = (404, "there is no group with this id")
    NOT_A_MEMBER = (403, "the household is no member of the group")
    GROUP_FULL = (409, "the group has as many members as it may have")
    GROUP_EMPTY = (409, "the group has no member to order for")
    NOT_INVITED = (403, "the group's manager has not invited the household with this share")
    READINGS_CHANGED = (409, "readings differ from the settlement; correct it first")
    AGENT_LIMIT = (403, "the limits of the agent's key do not allow this order")
    STANDING_LIMIT = (409, "the standing order allows no order in this listing")
    NO_PROFILE = (404, "the household's profile has no order for this hour")
    BAD_OPENING = (422, "it is not what the sealed order committed to")
    NOT_STOPPED = (409, "the listing was not stopped")
    UNKNOWN_ORDER = (404, "the household has no such order in the listing")
    # auction: pages of large books, solutions
    NOT_CLOSED = (409, "the listing is not between closing and clearing")
    BOOK_TOO_LARGE = (409, "the book has more orders than this can take")
    UNKNOWN_PAGE = (404, "the book of the listing has no such page")
    WRONG_SOLUTION = (422, "the solution is not the clearing of this book")
    # oracle: requests, prices, state of charge
    INSUFFICIENT_ENERGY = (409, "insufficient energy")
    CHARGE_UNKNOWN = (409, "no state of charge of the battery is recorded; ask the oracle for it")
    CHARGE_STALE = (409, "the recorded state of charge is too old; ask the oracle for a new one")
    NO_PANEL = (409, "the community has not named its oracles yet")
    NOT_ON_PANEL = (403, "this member is not one of the oracles asked")
    UNKNOWN_REQUEST_ID = (404, "there is no oracle request with this id")
    ALREADY_ANSWERED = (409, "this oracle has answered already")
    ALREADY_FULFILLED = (409, "the request is fulfilled; a second answer changes nothing")
    REQUEST_EXPIRED = (409, "the request has expired; an answer comes too late")
    STILL_WAITING = (409, "the request can still be answered")
    NO_MORE_RETRIES = (409, "the request was repeated as often as allowed")
    UNKNOWN_PRICE = (404, "no price of this series is in force")
    PRICE_IN_THE_PAST = (409, "a price takes effect now or later, and after the one before it")
    ANCHOR_OUT_OF_ORDER = (409, "the batches of a series are anchored one after the other")
    ANCHOR_DIFFERS = (409, "this batch is anchored with another content; an anchor never changes")
    NO_ANCHOR = (404, "no such batch of the series is anchored")
    # sharing keys
    NO_SHARING_KEY = (404, "the community has no such sharing key")
    KEY_IN_THE_PAST = (409, "a sharing key takes effect later than now and than the one before it")
    NOT_SHARED = (404, "the listing is not shared by a key")
    NOT_IN_SLOTS = (409, "the delivery period is no whole number of slots of the sharing key")
    TOO_MANY_READINGS = (409, "more readings than one transaction can share out")
    # origin
    ALREADY_MINTED = (409, "tokens for these readings exist; a reading is minted once")
    TOKEN_SPENT = (409, "that energy of the token is sold already")
    UNKNOWN_TOKEN = (404, "there is no energy token with this id")
    UNKNOWN_CERTIFICATE = (404, "there is no certificate with this id")
    # marketplace: offers and requests between two households
    UNKNOWN_OFFER = (404, "Invalid product ID")
    UNKNOWN_REQUEST = (404, "Invalid buyer request ID")
    ALREADY_PURCHASED = (409, "Already purchased")
    ALREADY_SOLD = (409, "Request already fulfilled")
    RESERVED = (409, "it is reserved for another household")
    NOT_RESERVED = (409, "nobody has reserved it or asked to sell")
    POST_CLOSED = (409, "it is not open any more")
    TERMS_DIFFER = (
        409,
        "the offer or request has another hour, energy or price than what was signed",
    )
    TOO_MANY_POSTS = (409, "too many offers and requests of one household for one hour")
    METERED = (409, "the meters tell what was delivered; nothing is left to confirm")
    NOT_PURCHASED = (409, "nobody has bought it")
    NOT_DISPUTED = (409, "only a disputed deal is decided")

    @property
    def status(self) -> int:
        """HTTP status of the refusal."""
        return int(self.value[0])

    @property
    def text(self) -> str:
        """What is wrong, without the detail."""
        return str(self.value[1])


class Refused(ContractError):  # noqa: N818 - the field's word
    """A contract refuses the transaction; nothing is written."""

    def __init__(self, refusal: Refusal, detail: str) -> None:
        shown = detail[:DETAIL_CHARACTERS_MAX]
        super().__init__(refusal.name, f"{refusal.text} ({shown})", refusal.status)
        self.refusal = refusal


def refused(refusal: Refusal, detail: str) -> Refused:
    """The error to raise; `detail` names the identifier or the numbers concerned."""
    return Refused(refusal, detail)

"""What a receipt proves, in plain words: a settled hour, a correction of one, a deal. Pure.

`gateway/web/static/receipts/receipt-words.js` is the second reading, for the page.
"""

from collections.abc import Mapping

from chaincode.energy.marketplace.records import PostState

UTOKEN_PER_TOKEN = 1_000_000
WH_PER_KWH = 1_000
UNTOLD = "this stands in the ledger, written by a valid transaction."
"""Of what these words do not know."""
POST_STATES: Mapping[str, str] = {
    PostState.OPEN: "nobody has taken it",
    PostState.RESERVED: "held for one household",
    PostState.PURCHASED: "bought, not settled yet",
    PostState.SOLD: "sold, not settled yet",
    PostState.DISPUTED: "disputed, readings are missing",
    PostState.SETTLED: "settled",
    PostState.REFUNDED: "the buyer got the money back",
    PostState.EXPIRED: "expired",
    PostState.DELETED: "deleted",
}


def words_of(key: str, value: object) -> str:
    """A sentence of what stands under a key of the energy contracts; `value` as JSON gives it."""
    kind, _, rest = key.partition("~")
    read = {"line": _line, "correction": _correction, "post": _deal}.get(kind)
    if read is None or not isinstance(value, dict):
        return UNTOLD
    try:
        return read(rest.split("~"), value)
    except (KeyError, TypeError, ValueError):
        return UNTOLD  # of a contract of another time


def _line(place: list[str], line: Mapping[str, int]) -> str:
    household, hour = place
    return f"household {household}, hour from {hour} UTC: {_amounts(line)}."


def _correction(place: list[str], line: Mapping[str, int]) -> str:
    household, hour, revision = place
    return (
        f"correction {int(revision)} for household {household}, hour from {hour} UTC; what it "
        f"changed: {_amounts(line)}."
    )


def _amounts(line: Mapping[str, int]) -> str:
    return (
        f"sold {_kwh(line['sold_wh'])}, bought {_kwh(line['bought_wh'])}; "
        f"received {_tokens(line['received_utoken'])}, paid {_tokens(line['paid_utoken'])}, "
        f"refunded {_tokens(line['refunded_utoken'])}"
    )


def _deal(_place: list[str], post: Mapping[str, int | str | None]) -> str:
    """`_place` is hour and number, which the post itself has."""
    delivered, paid = post["delivered_wh"], post["paid_utoken"]
    told = (
        f"deal from house to house, hour from {post['hour']} UTC: seller "
        f"{post['seller_idgrid'] or 'nobody yet'}, buyer {post['buyer_idgrid'] or 'nobody yet'}; "
        f"{_kwh(post['energy_wh'])} for {_tokens(post['price_utoken'])}; "
        f"{POST_STATES[str(post['state'])]}"
    )
    if delivered is not None:
        told += f"; delivered {_kwh(delivered)}"
    if paid is not None:
        refunded = _number(post["price_utoken"]) - _number(paid)
        told += f", paid {_tokens(paid)}, refunded {_tokens(refunded)}"
    return told + "."


def _kwh(energy_wh: object) -> str:
    return f"{_number(energy_wh) / WH_PER_KWH:.3f} kWh"


def _tokens(amount_utoken: object) -> str:
    return f"{_number(amount_utoken) / UTOKEN_PER_TOKEN:.6f} tokens"


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("not a number")
    return value

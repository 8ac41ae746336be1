"""The terms a signer saw: hour, energy in Wh and price of the whole lot in micro-tokens.

Who takes a post names it by its id, which says nothing to a person. With the terms among the
signed arguments no page can put another, dearer post under the words that somebody has read.
"""

from dataclasses import dataclass

from chaincode.energy import arguments
from chaincode.energy.arguments import AMOUNT_UTOKEN_MAX, ENERGY_WH_MAX
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.marketplace.periods import delivery_start_of
from chaincode.energy.marketplace.records import Post


@dataclass(frozen=True, slots=True)
class Terms:
    """What a post must say for its taker's signature to count."""

    hour: str
    energy_wh: int
    price_utoken: int


def terms_seen(hour: str | None, energy_wh: int | None, price_utoken: int | None) -> Terms | None:
    """The three arguments as terms; None if the caller named none.

    Raises `Refused`: INVALID_ARGUMENT for some of them without the others or what is no hour,
    NOT_POSITIVE.
    """
    if hour is None and energy_wh is None and price_utoken is None:
        return None
    if hour is None or energy_wh is None or price_utoken is None:
        arguments.bad("hour, energy_wh and price_utoken are given together or not at all")
    delivery_start_of(hour)
    arguments.positive(energy_wh, "energy_wh", at_most=ENERGY_WH_MAX)
    arguments.positive(price_utoken, "price_utoken", at_most=AMOUNT_UTOKEN_MAX)
    return Terms(hour=hour, energy_wh=energy_wh, price_utoken=price_utoken)


def require_terms(post: Post, terms: Terms | None) -> None:
    """Refuse with TERMS_DIFFER if the signer saw other terms than the post has."""
    found = Terms(hour=post.hour, energy_wh=post.energy_wh, price_utoken=post.price_utoken)
    if terms is not None and terms != found:
        raise refused(Refusal.TERMS_DIFFER, f"{post.post_id} says {_told(found)}")


def _told(terms: Terms) -> str:
    return f"{terms.energy_wh} Wh in {terms.hour} for {terms.price_utoken} utoken"

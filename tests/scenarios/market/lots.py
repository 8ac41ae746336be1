"""Lots of the bilateral marketplace in the units of the source documents' tables.

Their money is ether: here one micro-token is a gwei, so a tenth of a thousandth of an ether is
still whole. Their "Watts" and "Wm" (watts for a minute) are power held for the time of the trade;
ours lasts an hour, so 2 W become 2 Wh.
"""

from dataclasses import dataclass
from typing import Any

from tests.scenarios.market.narration import Story
from tests.unit.energy.community import Community, Household

GWEI_PER_ETHER = 10**9
ACCOUNT_ETHER = 100


@dataclass(frozen=True, slots=True)
class Lot:
    """A row of a table of offers or requests."""

    energy_wh: int
    price_gwei: int

    @property
    def shown(self) -> str:
        """Amount and price as the tables show them."""
        return f"{self.energy_wh} Wh for {in_ether(self.price_gwei)} ETH"

    def labelled(self, label: str) -> tuple[int, str, str]:
        """The row of the table with this label beside it."""
        return self.energy_wh, in_ether(self.price_gwei), label


def lot(energy_wh: int, price_ether: str) -> Lot:
    """The price is a decimal number of ether, as printed."""
    whole, _, decimals = price_ether.partition(".")
    return Lot(energy_wh, int(whole + decimals.ljust(9, "0")))


def in_ether(gwei: int) -> str:
    """40000 -> `0.00004`, exactly."""
    whole, rest = divmod(gwei, GWEI_PER_ETHER)
    return f"{whole}.{rest:09}".rstrip("0").rstrip(".")


def open_account(community: Community, role: str = "prosumer") -> Household:
    """A household with the 100 ether of a test account."""
    return community.join(role=role, tokens=ACCOUNT_ETHER * GWEI_PER_ETHER)


def offer(story: Story, seller: Household, hour: str, wanted: Lot) -> str:
    """Post an offer; its id."""
    args = (hour, seller.res_id, wanted.energy_wh, wanted.price_gwei)
    made = seller.client.submit("marketplace:post_offer", *args)
    story.note(f"{seller.idgrid} offers {wanted.shown}")
    return str(made["post_id"])


def request(story: Story, buyer: Household, hour: str, wanted: Lot) -> str:
    """Post a request, with its price locked; its id."""
    made = buyer.client.submit(
        "marketplace:post_request", hour, wanted.energy_wh, wanted.price_gwei
    )
    story.note(f"{buyer.idgrid} requests {wanted.shown}")
    return str(made["post_id"])


def labels(viewer: Household, hour: str, kind: str) -> list[tuple[int, str, str]]:
    """(amount, ether, action) of each row as this household sees it, in the order posted."""
    page: dict[str, Any] = viewer.client.evaluate("marketplace:list_posts", hour)
    return [
        Lot(post["energy_wh"], post["price_utoken"]).labelled(str(post["label"]))
        for post in page["posts"]
        if post["kind"] == kind
    ]


def ether(community: Community, home: Household) -> str:
    """The free balance in ether."""
    return in_ether(community.account(home)["free_utoken"])

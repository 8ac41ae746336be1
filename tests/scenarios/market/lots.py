"""Lots of the bilateral marketplace in the units of the source documents' tables.

Their money is ether: here one micro-token is a gwei, so a tenth of a thousandth of an ether is
still whole. Their "Watts" and "Wm" (watts for a minute) are power held for the time of the trade;
ours lasts an hour, so 2 Wm become 2 Wh. Where a table has half a watt, a watt stands for 10 Wh.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.scenarios.market.narration import Story
from tests.unit.energy.community import Community, Household

GWEI_PER_ETHER = 10**9
ACCOUNT_ETHER = 100


@dataclass(frozen=True, slots=True)
class Lot:
    """A row of a table of offers or requests; `wh_per_unit` of its unit of energy."""

    energy_wh: int
    price_gwei: int
    wh_per_unit: int = 1

    @property
    def shown(self) -> str:
        """Amount and price as the tables show them."""
        unit = "Wh" if self.wh_per_unit == 1 else "W"
        return f"{self.amount} {unit} for {in_ether(self.price_gwei)} ETH"

    @property
    def amount(self) -> str:
        """In the table's unit of energy, as printed there."""
        return f"{self.energy_wh / self.wh_per_unit:g}"

    def labelled(self, label: str) -> tuple[str, str, str]:
        """The row of the table with this label beside it."""
        return self.amount, in_ether(self.price_gwei), label


def lot(amount: str, price_ether: str, *, wh_per_unit: int = 1) -> Lot:
    """Amount and price are decimal numbers, as printed; the price is in ether."""
    energy_wh, gwei = Fraction(amount) * wh_per_unit, Fraction(price_ether) * GWEI_PER_ETHER
    assert (energy_wh.denominator, gwei.denominator) == (1, 1), "no row is rounded"
    return Lot(int(energy_wh), int(gwei), wh_per_unit)


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


def labels(
    viewer: Household, hour: str, kind: str, *, wh_per_unit: int = 1
) -> list[tuple[str, str, str]]:
    """(amount, ether, action) of each row as this household sees it, in the order posted."""
    page: dict[str, Any] = viewer.client.evaluate("marketplace:list_posts", hour)
    return [
        Lot(post["energy_wh"], post["price_utoken"], wh_per_unit).labelled(str(post["label"]))
        for post in page["posts"]
        if post["kind"] == kind
    ]


def ether(community: Community, home: Household) -> str:
    """The free balance in ether."""
    return in_ether(community.account(home)["free_utoken"])

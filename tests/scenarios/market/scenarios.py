"""Every scenario by its name."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.scenarios.market import (
    buy_and_sell,
    energy_auction,
    five_houses,
    hourly_auction,
    modes,
    resources,
    sealed_auction,
    year_report,
)
from tests.scenarios.market.narration import Story


@dataclass(frozen=True, slots=True)
class Scenario:
    """One narrated run."""

    title: str
    run: Callable[[Story], object]


SCENARIOS = {
    "energy-auction": Scenario(
        "EnergyAuction: a window of 10/2/60/3 minutes, 8 of 10 kWh arrive", energy_auction.run
    ),
    "five-houses": Scenario(
        "five houses on one bus, free prices, the hours of a market day", five_houses.run
    ),
    "hourly-auction": Scenario(
        "the hourly auction in the words of its table, price by average bid", hourly_auction.run
    ),
    "buy-and-sell": Scenario(
        "buying, selling and deleting lots at fixed prices, with every label", buy_and_sell.run
    ),
    "sealed-auction": Scenario(
        "orders nobody can read before the gate closes, and what hiding costs", sealed_auction.run
    ),
    "modes": Scenario("a coordinator or a market: the same homes both ways, compared", modes.run),
    "resources": Scenario(
        "what each operation of a window costs a peer, against a block of 30 M", resources.run
    ),
    "year": Scenario(
        "a year of 17 real homes: bills, local share, the best possible", year_report.run
    ),
}

"""What a household gained by trading in the community instead of with the utility alone. Pure.

For each settled hour: what its bought energy would have cost at the retail price less what it
paid, and what it got for its sold energy less what the feed-in tariff would have brought. Both
prices are pinned in the listing. Network charge and pool share are costs. Micro-tokens.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chaincode.energy.hours import delivery_hour_ms
from chaincode.energy.settlement.records import SettlementLine
from gateway.local_time import LocalTime

WH_PER_KWH = 1_000


@dataclass(frozen=True, slots=True)
class Tariffs:
    """What the utility would have charged and paid in an hour, micro-tokens per kWh."""

    retail_utoken_per_kwh: int
    feed_in_utoken_per_kwh: int


@dataclass(frozen=True, slots=True)
class Savings:
    """Over some hours; negative if the community cost more than the utility would have."""

    saved_utoken: int
    bought_wh: int
    sold_wh: int
    hours: int


def saving_of(line: SettlementLine, tariffs: Tariffs) -> int:
    """Of one hour, in micro-tokens."""
    bought_at_retail = line.bought_wh * tariffs.retail_utoken_per_kwh // WH_PER_KWH
    sold_at_feed_in = line.sold_wh * tariffs.feed_in_utoken_per_kwh // WH_PER_KWH
    spent = line.paid_utoken + line.network_charge_utoken
    got = line.received_utoken - line.pool_share_utoken
    return bought_at_retail - spent + got - sold_at_feed_in


def of_month_around(
    listing_id: str, lines: Mapping[str, SettlementLine], local: LocalTime
) -> dict[str, SettlementLine]:
    """Of the lines, by listing, those of the local month in which this listing's hour is."""
    month = local.month_of(delivery_hour_ms(listing_id))
    return {
        name: line
        for name, line in lines.items()
        if local.month_of(delivery_hour_ms(name)) == month
    }


def savings_over(hours: Iterable[tuple[SettlementLine, Tariffs]]) -> Savings:
    """The sum of the hours."""
    saved = bought = sold = count = 0
    for line, tariffs in hours:
        saved += saving_of(line, tariffs)
        bought += line.bought_wh
        sold += line.sold_wh
        count += 1
    return Savings(saved_utoken=saved, bought_wh=bought, sold_wh=sold, hours=count)

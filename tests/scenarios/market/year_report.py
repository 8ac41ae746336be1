"""What a year of the 17 homes adds up to: bills, local share, the best that could be reached."""

from chaincode.energy.market.clearing import ClearingResult
from chaincode.energy.settlement.pool import Settlement
from gateway.hems.profiles import Profiles, load_profiles
from network.progress import progress
from tests.scenarios.market.best_allocation import BestAllocation, best_allocation
from tests.scenarios.market.narration import Differs, Story
from tests.scenarios.market.year import (
    FEED_IN_UTOKEN_PER_KWH,
    Hour,
    Limits,
    Year,
    hours_of,
    replay,
)

UTOKEN_PER_USD = 1_000_000
WH_PER_MWH = 1_000_000
ROUNDING_UTOKEN_PER_HOUR_MAX = 40
"""Two roundings to whole micro-tokens for each of 17 homes, and of the totals."""


def run(story: Story) -> Year:
    """Replay the year twice and compare; `Differs` if a figure is not the known one."""
    profiles = load_profiles()
    story.step("Load and PV of 17 real homes, hour by hour, for a year.")
    story.figure("homes", len(profiles.homes), 17)
    story.figure("hours", profiles.hours, 8_760)
    story.step("Every hour is cleared and settled; homes name random limit prices.")
    drawn = _replay_telling(profiles, "random")
    _describe(story, drawn)
    story.step("Again, each home naming its own alternative: retail to buy, feed-in to sell.")
    year = _replay_telling(profiles, "own alternatives")
    _describe(story, year)
    _compare(story, year, best_allocation(list(hours_of(profiles))))
    _table(story, profiles, year)
    return year


def _replay_telling(profiles: Profiles, limits: Limits) -> Year:
    with progress("clearing and settling hours") as report:

        def check(hour: Hour, cleared: ClearingResult, settlement: Settlement) -> None:
            require_exact(hour, cleared, settlement)
            report(hour.index + 1, profiles.hours)

        return replay(profiles, limits, check)


def require_exact(hour: Hour, cleared: ClearingResult, settlement: Settlement) -> None:
    """Energy to the Wh and money to the micro-token, or `Differs` naming the hour."""
    lines = settlement.lines
    by_home = {int(line.idgrid): line for line in lines}
    imported = sum(line.bought_from_utility_wh for line in lines)
    exported = sum(line.sold_to_utility_wh for line in lines)
    owed = sum(line.owed_to_utility_utoken for line in lines)
    fed_in = sum(line.owed_by_utility_utoken for line in lines)
    paid = sum(line.paid_utoken for line in lines)
    laws = {
        "every home's energy": all(
            line.bought_wh + line.bought_from_utility_wh - line.sold_wh - line.sold_to_utility_wh
            == hour.net_wh[home]
            for home, line in by_home.items()
        ),
        "the community's energy": imported - exported == sum(hour.net_wh),
        "everybody has a line": len(lines) == len(hour.net_wh),
        "bought is sold": sum(line.bought_wh for line in lines) == settlement.settled_wh,
        "all that was matched was delivered": settlement.settled_wh == cleared.quantity_wh,
        "buyers' money is sellers' money": paid == sum(line.received_utoken for line in lines),
        "retail bill": owed == imported * hour.retail_utoken_per_kwh // 1000,
        "feed-in": fed_in == exported * FEED_IN_UTOKEN_PER_KWH // 1000,
        "no more than can change hands": settlement.settled_wh <= hour.tradable_wh,
    }
    if broken := [law for law, holds in laws.items() if not holds]:
        raise Differs(f"hour {hour.index}: {', '.join(broken)}")


def _describe(story: Story, year: Year) -> None:
    mean = year.turnover_utoken * 1_000 / year.traded_wh / UTOKEN_PER_USD
    story.note(
        f"{year.trading_hours:,} hours trade {_mwh(year.traded_wh)} MWh, mean price {mean:.3f} $"
    )
    story.note(
        f"bills {_usd(sum(year.without))} $ -> {_usd(sum(year.with_community))} $,"
        f" saved {_usd(year.benefit_utoken)} $"
    )
    story.note(f"local share of what homes bought: {share(year):.1%}")


def share(year: Year) -> float:
    """Part of the energy needed from outside the home that came from a neighbour."""
    return year.traded_wh / year.needed_wh


def _compare(story: Story, year: Year, best: BestAllocation) -> None:
    story.step("The best any allocation could reach: one linear program over the year (HiGHS).")
    # One hour more has a surplus below half a watt-hour, which the whole watt-hours here lose.
    story.figure("hours with a seller and a buyer", year.hours_with_both, 4_353)
    story.figure("could be traded", _mwh(year.tradable_wh), "17.7", "MWh")
    story.figure("bills without", round(sum(year.without) / UTOKEN_PER_USD, -2), 31_100, "$")
    bound = round(best.benefit_utoken / UTOKEN_PER_USD)
    story.figure("most that can be saved", bound, 3_593, "$")
    story.figure("energy at the optimum", round(best.energy_wh), year.tradable_wh, "Wh")
    story.figure("energy traded here", year.traded_wh, year.tradable_wh, "Wh")
    short = abs(best.benefit_utoken - year.benefit_utoken)
    tolerated = ROUNDING_UTOKEN_PER_HOUR_MAX * year.trading_hours
    story.figure("saved what can be saved, but for rounding", short <= tolerated, documented=True)


def _table(story: Story, profiles: Profiles, year: Year) -> None:
    story.step("Home by home, in $ a year; home 15 has 5 kW of PV on paper that hardly generates.")
    story.note("home   PV kWh  bought kWh  sold kWh    without   with   saved")
    for index, home in enumerate(profiles.homes):
        before, after = year.without[index], year.with_community[index]
        story.note(
            f"{home.number:>4} {sum(home.pv_wh) / 1000:>8,.0f}"
            f" {year.bought_wh[index] / 1000:>11,.0f} {year.sold_wh[index] / 1000:>9,.0f}"
            f" {_usd(before):>10} {_usd(after):>6} {_usd(before - after):>7}"
        )


def _mwh(energy_wh: int) -> str:
    return f"{energy_wh / WH_PER_MWH:.1f}"


def _usd(amount_utoken: int) -> str:
    return f"{amount_utoken / UTOKEN_PER_USD:,.0f}"

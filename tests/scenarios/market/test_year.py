"""The year of real homes: exact in every hour, and as good as a linear program can make it."""

import pytest

from gateway.hems.profiles import load_profiles
from tests.scenarios.market.best_allocation import best_allocation
from tests.scenarios.market.narration import Differs, Story
from tests.scenarios.market.year import Hour, hours_of, replay
from tests.scenarios.market.year_report import require_exact, run, share


def test_the_linear_program_gives_to_the_hour_where_it_saves_most() -> None:
    hours = [Hour(0, (1_000, -600, -900), 150_000), Hour(1, (500, 0, -200), 250_000)]
    best = best_allocation([*hours, Hour(2, (100, 0, 0), 90_000)])
    assert round(best.energy_wh) == 1_200
    assert round(best.benefit_utoken) == 1_000 * 100 + 200 * 200


@pytest.mark.slow
def test_a_year_of_real_homes_is_exact_in_every_hour_and_saves_what_can_be_saved() -> None:
    profiles = load_profiles()
    year = replay(profiles, "own alternatives", require_exact)
    best = best_allocation(list(hours_of(profiles)))
    assert (profiles.hours, year.hours_with_both) == (8_760, 4_353)
    assert year.traded_wh == year.tradable_wh == round(best.energy_wh) == 17_695_689
    assert round(sum(year.without), -8) == 31_100_000_000
    assert round(best.benefit_utoken, -6) == round(year.benefit_utoken, -6) == 3_593_000_000
    assert 0.157 < share(year) < 0.158
    assert all(
        after <= before + 8_760
        for before, after in zip(year.without, year.with_community, strict=True)
    ), "nobody loses by the community, but for rounding to whole micro-tokens"


@pytest.mark.full
def test_the_year_is_told_with_the_known_figures() -> None:
    lines: list[str] = []
    story = Story(lines.append)
    run(story)
    assert len(story.figures) == 9
    assert any("4,326 hours trade 12.4 MWh" in line for line in lines)


def test_an_hour_that_does_not_close_is_named() -> None:
    hours = iter(hours_of(load_profiles()))
    first, second = next(hours), next(hours)

    def check(hour: Hour, cleared: object, settlement: object) -> None:
        require_exact(second, cleared, settlement)  # type: ignore[arg-type]

    with pytest.raises(Differs, match="hour 1: every home's energy"):
        replay(load_profiles(), "random", check)
    assert first.net_wh != second.net_wh

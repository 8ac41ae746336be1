"""Sizing of a house on a DC microgrid, compared with ten houses of a published design."""

import pytest

from network.cli import main
from network.planning.microgrid_sizing import House, batteries_for, size_house

PUBLISHED = {
    (1_280, 4): 60.0,
    (1_360, 4): 56.5,
    (1_440, 8): 107.0,
    (1_520, 8): 101.0,
    (1_600, 8): 96.1,
    (1_680, 8): 91.5,
    (1_760, 8): 87.3,
    (1_840, 8): 83.5,
    (1_920, 8): 80.1,
    (2_000, 8): 76.9,
}
"""(daily load in Wh, batteries of 12 V and 85 Ah) -> hours; the nominal ones are a bit more."""


@pytest.mark.row("E136")
def test_nominal_autonomy_of_ten_houses_is_the_published_one_within_two_percent() -> None:
    for (daily_load_wh, batteries), hours in PUBLISHED.items():
        sizing = size_house(House(daily_load_wh, batteries, panels=2))
        assert hours < sizing.autonomy_tenths_of_hours / 10 < 1.021 * hours
    assert size_house(House(1_680, 8, 2)).autonomy_tenths_of_hours == 933
    assert size_house(House(1_680, 8, 2)).usable_wh == 6_528


def test_panels_cover_the_load_or_do_not() -> None:
    two = size_house(House(1_680, 8, panels=2))
    assert (two.panel_wh_a_day, two.panels_needed, two.load_is_covered) == (1_180, 2, True)
    assert not size_house(House(1_680, 8, panels=1)).load_is_covered


@pytest.mark.parametrize("hours", [1, 24, 60, 93, 94, 200])
def test_the_batteries_named_last_long_enough_and_one_less_does_not(hours: int) -> None:
    house = House(1_680, 0, 2)
    count = batteries_for(house, autonomy_hours=hours)
    tenths = [
        size_house(House(1_680, number, 2)).autonomy_tenths_of_hours
        for number in (count, count - 1)
    ]
    assert tenths[0] >= 10 * hours > tenths[1]


@pytest.mark.parametrize("changed", [{"daily_load_wh": 0}, {"panel_w": 0}, {"batteries": -1}])
def test_what_cannot_be_is_refused(changed: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="greater than zero"):
        size_house(House(**{"daily_load_wh": 1_680, "batteries": 8, "panels": 2, **changed}))


def test_the_command_says_it_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--daily-load-wh", "1680", "--batteries", "8", "--autonomy-hours", "96"]
    assert main(["sizing", *words]) == 0
    said = capsys.readouterr().out
    assert "without any sun     93.3 h (3.9 days), nominal" in said
    assert "for 96 h           9 batteries" in said

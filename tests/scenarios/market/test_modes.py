"""Centralised coordinator and decentralised market on the same data."""

import pytest

from gateway.hems.profiles import load_profiles
from tests.scenarios.market.modes import centralised, coordinate, decentralised, first_hours, run
from tests.scenarios.market.narration import Story
from tests.scenarios.market.year import Hour


def test_the_coordinator_shares_pro_rata_at_the_middle_price() -> None:
    # 600 Wh can change hands, at 100,000 between 50,000 and 150,000: 50 a Wh for either side.
    saved = coordinate(Hour(0, (400, 800, -600), 150_000))
    assert saved == [200 * 50, 400 * 50, 600 * 50]


@pytest.mark.row("E135")
def test_both_modes_run_on_the_same_hours_and_report_welfare_privacy_and_delay() -> None:
    lines: list[str] = []
    central, honest, shaded = run(Story(lines.append))
    assert honest.traded_wh == central.traded_wh > shaded.traded_wh > 0
    rounding = 40 * 28 * 24
    assert abs(honest.saved_utoken - central.saved_utoken) <= rounding
    assert 0 < shaded.saved_utoken < central.saved_utoken
    assert honest.bytes_an_hour == 52 * 17 < central.bytes_an_hour == 116 * 17
    assert "load" in central.learnt
    assert "load" not in honest.learnt
    assert central.hops < honest.hops
    for word in ("welfare", "privacy", "delay"):
        assert sum(line.strip().startswith(word) for line in lines) == 3


def test_nobody_loses_in_either_mode() -> None:
    profiles = first_hours(load_profiles(), 48)
    for mode in (centralised(profiles), decentralised(profiles, "random")):
        assert min(mode.saved_by_home) >= -48, "but for rounding"

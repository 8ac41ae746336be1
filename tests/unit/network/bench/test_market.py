"""The market benchmark's reference and what it prints; its networks are run by hand."""

import json

import pytest

from chaincode.energy.market.clearing import clear_book
from network.bench import market
from network.bench.auction import ClearedBook
from network.bench.clearing import (
    SLOWER_THAN_NUMPY_MAX,
    ClearingTime,
    columns_of,
    numpy_volume,
    random_book,
)
from network.bench.market import MarketReport, report_table
from network.bench.settlement import SettledHour


@pytest.mark.parametrize("count", [2, 3, 10, 999])
def test_the_numpy_reference_agrees_with_the_rule(count: int) -> None:
    orders = random_book(count)
    assert numpy_volume(*columns_of(orders)) == clear_book(orders).quantity_wh


def test_a_goal_is_the_time_and_the_multiple_of_numpy() -> None:
    def taking(rule_ms: float, ratio: float) -> ClearingTime:
        return ClearingTime(10_000, rule_ms, rule_ms / ratio, ratio, target_ms=5.0)

    assert taking(5.0, float(SLOWER_THAN_NUMPY_MAX)).is_met
    assert not taking(5.1, 2.0).is_met
    assert not taking(4.0, SLOWER_THAN_NUMPY_MAX + 0.1).is_met


def a_report(rule_ms: float = 4.0, cleared_s: float = 2.5, settled_s: float = 8.0) -> MarketReport:
    return MarketReport(
        clearing=[ClearingTime(10_000, rule_ms, 1.0, rule_ms, 5.0)],
        cleared=ClearedBook(
            10_000, 5_000, 10, 23, close_s=0.1, decide_s=1.5, total_s=cleared_s, cpu_s=3.0
        ),
        settled=SettledHour(
            households=2_000, pages=4, decide_s=1.0, total_s=settled_s, cpu_s=2.25
        ),
    )


def test_the_table_names_goals_and_what_was_measured() -> None:
    table = report_table(a_report(settled_s=12.0))
    assert "10000      4.00      1.00   4.00   5 ms, 6 times: met" in table
    assert "four validators: 2.50 s (goal 5 s: met; 3.00 s CPU), 23 transactions" in table
    assert "2000 households: 12.00 s (goal 10 s: missed; 2.25 s CPU), 4 pages" in table


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize(
    ("report", "status"),
    [
        (a_report(), 0),
        (MarketReport(a_report().clearing, None, None), 0),
        (a_report(rule_ms=5.1), 1),
        (a_report(cleared_s=5.0), 1),
        (a_report(settled_s=10.0), 1),
    ],
)
def test_a_goal_that_is_missed_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, options: list[str], report: MarketReport, status: int
) -> None:
    monkeypatch.setattr(market, "_measured", lambda _options: report)
    assert market.main(options) == status


@pytest.mark.slow
def test_without_a_network_only_the_rule_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    """How fast this machine is at the moment is told by the status and judged by nobody here."""
    status = market.main(["--no-network", "--json"])
    report = json.loads(capsys.readouterr().out)
    times = [ClearingTime(**one) for one in report["clearing"]]
    assert [one.orders for one in times] == [10_000, 100_000]
    assert (report["cleared"], report["settled"]) == (None, None)
    assert status == (0 if all(one.is_met for one in times) else 1)

"""Monthly statements: equal to the lines, issued all together after a balance check."""

from typing import Any

import pytest

from chaincode.energy import keys, records
from chaincode.energy.settlement import statements
from chaincode.energy.settlement.months import month_end_ms
from tests.unit.energy.community import LISTING, Community, Household, refuses
from tests.unit.energy.settlement.trades import line, one_trade, settled_trade, substitute

MONTH = "2026-01"
AFTER = "2026-02-01T00:00:00Z"
ISSUE = ("statements:issue", MONTH)


def statement(community: Community, home: Household) -> dict[str, Any]:
    found: dict[str, Any] = home.client.evaluate("statements:get", home.idgrid, MONTH)
    return found


def issue(community: Community) -> dict[str, Any]:
    run: dict[str, Any] = community.scheduler.submit(*ISSUE)
    while run["state"] != "ISSUED":
        run = community.scheduler.submit(*ISSUE)
    return run


def test_a_statement_is_the_sum_of_the_lines() -> None:
    community, seller, buyer = settled_trade(
        8000, 9000, network_charge_utoken_per_kwh=1000, pool_share_permille=10
    )
    before = buyer.client.evaluate("statements:preview", buyer.idgrid, MONTH)
    community.ledger.at(AFTER)
    run = issue(community)
    assert (run["state"], run["statements"], run["issued_run"]) == ("ISSUED", 2, 1)
    sold, bought = statement(community, seller), statement(community, buyer)
    assert sold["balance_utoken"] == 432_000 - 4_320
    assert bought["balance_utoken"] == -432_000 - 8_000
    assert bought["utility_balance_utoken"] == -102_000
    for home, found in ((seller, sold), (buyer, bought)):
        of_ledger = line(community, home)
        assert found["amounts"] == {name: of_ledger[name] for name in found["amounts"]}
    assert before | {"run": 1} == bought
    settlement = community.manager.evaluate("market:get_settlement", LISTING)
    assert run["amounts"]["paid_utoken"] == settlement["total_utoken"]
    event = community.ledger.events[-1]
    assert (event.name, event.value["statements"]) == ("StatementsIssued", 2)


def test_issuing_again_changes_nothing() -> None:
    community, seller, _ = settled_trade()
    community.ledger.at(AFTER)
    run = issue(community)
    again = community.scheduler.simulate(*ISSUE)
    assert not again.writes
    assert community.scheduler.submit(*ISSUE) == run
    assert statement(community, seller)["run"] == 1


def test_nothing_is_issued_before_the_month_is_over_and_settled() -> None:
    community, seller, _ = one_trade()
    refuses(community, "PERIOD_NOT_OVER", community.scheduler, *ISSUE)
    community.ledger.at(AFTER)
    refuses(community, "PERIOD_NOT_SETTLED", community.scheduler, *ISSUE)
    refuses(community, "ROLE_NOT_ALLOWED", seller.client, *ISSUE)
    refuses(community, "NO_STATEMENT", seller.client, "statements:get", seller.idgrid, MONTH)
    community.settle()
    assert issue(community)["state"] == "ISSUED"


def test_a_dispute_holds_the_statements_back() -> None:
    community, seller, _ = settled_trade(dispute_window_ms=40 * 86_400_000)
    community.ledger.at(AFTER)
    seller.client.submit("settlement:dispute", LISTING, "wrong")
    refuses(community, "PERIOD_NOT_SETTLED", community.scheduler, *ISSUE)


def test_drafts_do_not_count_until_all_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "OWNERS_PER_STEP_MAX", 1)
    community, seller, buyer = settled_trade()
    community.ledger.at(AFTER)
    assert community.scheduler.submit(*ISSUE)["state"] == "RUNNING"
    refuses(community, "NO_STATEMENT", seller.client, "statements:get", seller.idgrid, MONTH)
    issue(community)
    assert statement(community, buyer)["amounts"]["bought_wh"] == 8000


def test_a_correction_starts_the_run_again_and_the_old_statement_counts_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statements, "OWNERS_PER_STEP_MAX", 1)
    community, seller, _ = settled_trade()
    community.ledger.at(AFTER)
    issue(community)
    substitute(community, seller, exported_wh=6000)
    community.dso.submit("settlement:correct", LISTING)
    assert community.scheduler.submit(*ISSUE)["run"] == 2
    assert statement(community, seller)["amounts"]["sold_wh"] == 8000
    assert issue(community)["issued_run"] == 2
    corrected = statement(community, seller)
    assert (corrected["amounts"]["sold_wh"], corrected["corrections"]) == (6000, 1)


def test_statements_that_do_not_balance_are_never_issued() -> None:
    """A line is changed behind the contract's back, as no transaction can."""
    community, seller, _ = settled_trade()
    community.ledger.at(AFTER)
    key = keys.settlement_line(seller.idgrid, LISTING)
    forged = line(community, seller) | {"received_utoken": 432_001}
    ledger = community.ledger
    ledger._world.state.define((ledger._name, key), records.encode(forged))
    assert line(community, seller)["received_utoken"] == 432_001
    refusal = refuses(community, "OUT_OF_BALANCE", community.scheduler, *ISSUE)
    assert "received_utoken" in str(refusal)


def test_a_household_reads_its_own_statement_only() -> None:
    community, seller, buyer = settled_trade()
    for function in ("statements:get", "statements:preview"):
        refuses(community, "NOT_YOURS", buyer.client, function, seller.idgrid, MONTH)


@pytest.mark.parametrize("month", ["2026-1", "2026-13", "January", "2026-01-01", ""])
def test_a_month_has_one_form(month: str) -> None:
    community, _, _ = one_trade()
    refuses(community, "INVALID_ARGUMENT", community.scheduler, "statements:issue", month)
    with pytest.raises(ValueError):
        month_end_ms(month)


def test_december_ends_with_the_year() -> None:
    assert month_end_ms("2025-12") == 1_767_225_600_000

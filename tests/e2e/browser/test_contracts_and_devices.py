"""A contract is signed in the console, and a meter changes hands between two households."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser.chromium import WIDTHS, keep_screenshot
from tests.e2e.browser.key_steps import (
    answer_yes,
    device,
    enrolled,
    good_to_use,
    manager_desk,
    part,
    values,
)

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("one_village")]


def submit(page: Page, name: str) -> dict[str, str]:
    """What is about to be signed after a press of this button."""
    page.get_by_role("button", name=name, exact=True).locator("visible=true").first.click()
    page.wait_for_selector("#sign-dialog[open]")
    return values(page)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_contract_s_terms_are_shown_signed_and_listed(browser, it, home, width) -> None:
    with device(browser, it, width=width) as page:
        manager_desk(page, it)
        page.goto("/console/members")
        row = page.locator(f'[data-idgrid="{home.idgrid}"]')
        row.get_by_text("Contract", exact=True).click()
        given = {
            "from": "2026-02-01",
            "until": "2027-02-01",
            "power": "4,5",
            "orders": "1000",
            "incentive": "0.002",
            "priority": "1",
        }
        for name, value in given.items():
            page.fill(f"#{name}-{home.idgrid}", value)
        keep_screenshot(page, "contract-form")
        good_to_use(page)
        shown = submit(page, "Sign the contract")
        assert (shown["power"], shown["orders_max"]) == ("4.5 kW", "1,000")
        assert (shown["incentive"], shown["priority"]) == ("0.002 / kWh", "1")
        answer_yes(page)
        record = it.services.community.participant(home.idgrid)
        assert (record.contract_capacity_w, record.contract_orders_max) == (4_500, 1_000)
        assert (record.contract_until_ms - record.contract_from_ms) == 365 * 86_400_000
        assert (record.incentive_utoken_per_kwh, record.priority_class) == (2_000, 1)
        page.reload()
        expect(row.locator("[data-contract]")).to_contain_text("at most 1,000 orders")
        row.get_by_text("Contract", exact=True).click()
        page.fill(f"#power-{home.idgrid}", "much")
        page.get_by_role("button", name="Sign the contract").locator("visible=true").click()
        expect(part(page, "outcome")).to_have_text("“much” is not a number.")
        part(page, "close").click()
        page.fill(f"#power-{home.idgrid}", "")
        assert submit(page, "Sign the contract")["limits"] == "nothing"
        answer_yes(page)
        assert it.services.community.participant(home.idgrid).contract_orders_max is None


@pytest.mark.parametrize("width", WIDTHS)
def test_a_meter_changes_hands_and_waits_for_the_grid_operator(browser, it, width) -> None:
    giver, taker = it.act(lambda c: (c.join(), c.join()))
    with (
        device(browser, it) as desk,
        device(browser, it, width=width) as old,
        device(browser, it, width=width) as new,
    ):
        manager_desk(desk, it)
        enrolled(old, desk, giver)
        enrolled(new, desk, taker)
        old.goto("/devices")
        old.click("text=Give a device to another household")
        old.fill("#given-to", taker.idgrid)
        shown = submit(old, "Offer it")
        assert shown == {"meter": giver.meter_id, "to": taker.idgrid}
        answer_yes(old)
        expect(old.locator("[data-given]")).to_contain_text(f"{taker.idgrid} may take it over.")
        keep_screenshot(old, "handover-offered")
        good_to_use(old)
        assert submit(old, "Take back")["to"] == "nobody"
        answer_yes(old)
        expect(old.locator("[data-given]")).to_have_count(0)
        submit(old, "Offer it")
        answer_yes(old)

        new.goto("/devices")
        expect(new.locator("[data-offered]")).to_contain_text(f"{giver.idgrid} hands it over")
        keep_screenshot(new, "handover-taken")
        good_to_use(new)
        assert submit(new, "Take it over") == {
            "meter": giver.meter_id,
            "at": "the grid connection",
        }
        answer_yes(new)
        assert it.services.community.meter(giver.meter_id).owner_idgrid == taker.idgrid
        old.reload()
        expect(old.locator("main")).not_to_contain_text(giver.meter_id)

        waits = desk.locator(f'[data-meter="{giver.meter_id}"]')
        desk.goto("/console")
        expect(waits).to_contain_text(taker.idgrid)
        it.act(lambda c: c.dso.submit("registry:approve_meter", giver.meter_id))
        expect(waits).to_have_count(0)
        assert giver.meter_id in it.services.community.participant(taker.idgrid).meter_ids

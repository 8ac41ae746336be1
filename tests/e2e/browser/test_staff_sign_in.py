"""Staff come back without a link, and everybody sees and ends its ways in, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser.chromium import WIDTHS, keep_screenshot
from tests.e2e.browser.key_steps import AUTHENTICATOR, device, good_to_use, part

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("one_village")]


def with_authenticator(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})


def signs_in_with_passkey(page: Page) -> None:
    page.goto("/login")
    with page.expect_navigation():
        page.click("text=Sign in with a passkey")


def signs_out(page: Page) -> None:
    with page.expect_navigation():
        page.click("text=Sign out")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_manager_s_second_visit_needs_no_link(browser, it, width) -> None:
    with device(browser, it, width=width) as page, device(browser, it) as other:
        with_authenticator(page)
        page.goto(it.sign_in(is_manager=True))
        page.goto("/manager/keys")
        page.fill("#passkey-label", f"Ana, {width} px")
        page.click("text=Add a passkey")
        expect(part(page, "done")).to_have_text("The passkey works from now on.")
        signs_out(page)

        signs_in_with_passkey(page)
        expect(page.locator(".who .name")).to_have_text("Community manager")
        page.goto("/console")
        expect(page.locator("h1")).to_have_text("Waiting for you")
        page.goto("/manager/keys")
        expect(part(page, "passkeys")).to_contain_text(f"Ana, {width} px")
        expect(part(page, "sessions")).to_contain_text(f"With a passkey: Ana, {width} px")
        page.click("text=Make a login link")
        expect(part(page, "link")).to_have_text(re.compile(r"^http://localhost:\d+/login/\S{43}$"))
        other.goto(part(page, "link").inner_text())
        expect(other.locator(".who .name")).to_have_text("Community manager")
        keep_screenshot(page, "staff-ways-in")
        good_to_use(page)

        page.reload()
        by_link = page.locator("[data-part=sessions] li", has_text="By a login link").first
        by_link.get_by_role("button", name="End").click()
        expect(page.locator("[data-part=sessions] li", has_text="this session")).to_have_count(1)
        expect(by_link).to_have_count(0)
        other.goto("/console")
        expect(other.locator("h1")).not_to_have_text("Waiting for you")

        mine = page.locator("[data-part=passkeys] li", has_text=f"{width} px")
        mine.get_by_role("button", name="Remove").click()
        expect(part(page, "problem")).to_have_text("Sign in first.")
        signs_in_and_is_refused(page)


def signs_in_and_is_refused(page: Page) -> None:
    page.goto("/login")
    page.click("text=Sign in with a passkey")
    expect(part(page, "problem")).to_have_text(re.compile("do not fit"))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_household_removes_the_passkey_of_a_lost_device(browser, it, width) -> None:
    home = it.act(lambda community: community.join())
    with device(browser, it, width=width) as page, device(browser, it) as lost:
        for one, label in ((page, "My tablet"), (lost, "Old phone")):
            with_authenticator(one)
            one.goto(it.sign_in(home.idgrid))
            one.goto("/account")
            one.fill("#passkey-label", label)
            one.click("text=Add a passkey")
            expect(part(one, "done")).to_be_visible()
            signs_out(one)
            signs_in_with_passkey(one)
            expect(one.locator(".who .name")).to_have_text(home.idgrid)
        page.goto("/account#devices")
        expect(page.locator("[data-part=passkeys] li")).to_have_count(2)
        keep_screenshot(page, "account-ways-in")
        good_to_use(page)
        row = page.locator("[data-part=passkeys] li", has_text="Old phone")
        row.get_by_role("button", name="Remove").click()
        expect(page.locator("[data-part=passkeys] li")).to_have_count(1)
        expect(part(page, "sessions")).not_to_contain_text("Old phone")
        lost.goto("/account")
        expect(lost.locator("h1")).not_to_have_text("My Account")
        signs_in_and_is_refused(lost)

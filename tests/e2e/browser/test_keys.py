"""Keys that never leave the household, in a real browser: joining, signing, devices, recovery."""

import itertools
import json
import re
from base64 import b64decode, b64encode
from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Page, expect

from chaincode.energy.registry.signers import RECOVERY_COOL_DOWN_MS
from gateway.agent.client import HouseholdClient, OrderRefused
from gateway.agent.key_file import AgentKey, read_agent_key
from gateway.identity.passwords import FAILURES_MAX
from tests.e2e.browser.chromium import (
    WIDTHS,
    keep_screenshot,
)
from tests.e2e.browser.key_steps import (
    AUTHENTICATOR,
    answer_yes,
    approve,
    device,
    enrolled,
    good_to_use,
    letter,
    make_key,
    manager_desk,
    part,
    sign,
    values,
)
from tests.e2e.browser.village import Village
from tests.unit.energy.community import Household, hour_of, milliseconds
from tests.unit.gateway.test_people import database_dump

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("one_village")]
PASSWORD = "a long enough password"
LISTING_HOURS = (f"2026-01-{day:02}T{hour:02}" for day in range(16, 30) for hour in range(24))


def open_listing(it: Village) -> str:
    """A listing that takes orders now."""
    listing_id = next(LISTING_HOURS)
    it.act(lambda community: community.open(listing_id, opens_at_ms=0))
    return listing_id


@pytest.mark.parametrize("width", WIDTHS)
def test_a_household_joins_by_letter(browser, it, home, width) -> None:
    with device(browser, it, width=1280) as desk, device(browser, it, width=width) as page:
        manager_desk(desk, it)
        link = letter(desk, home)
        keep_screenshot(desk, "letter")
        good_to_use(desk)
        letters = make_key(page, link)
        keep_screenshot(page, "enrol-waiting")
        good_to_use(page)
        before = len(it.ledger.chain)
        approve(desk, home, "AAAA-BBBB-CCCC")
        expect(part(desk, "problem")).to_have_text(re.compile("not the letters"))
        assert len(it.ledger.chain) == before
        approve(desk, home, letters)
        part(desk, "sign").wait_for()
        assert values(desk) == {"idgrid": home.idgrid, "key": letters}
        answer_yes(desk)
        expect(page.locator("text=Your key is ready")).to_be_visible()
        page.goto("/account")
        row = page.locator("[data-part=named] li")
        expect(row).to_contain_text("My phone")
        expect(row.locator(".state")).to_have_text("active")
        keep_screenshot(page, "account-keys")
        good_to_use(page)
    with device(browser, it) as thief:
        thief.goto(link)
        expect(part(thief, "problem")).to_have_text(re.compile("used before"))
        good_to_use(thief)


@pytest.mark.row("E128")
def test_nothing_happens_before_a_yes_and_result_and_balance_are_shown_after(
    browser, it, home
) -> None:
    listing_id = open_listing(it)
    with device(browser, it) as desk, device(browser, it) as page:
        manager_desk(desk, it)
        enrolled(page, desk, home)
        page.goto("/account")
        before = len(it.ledger.chain)
        sent: list[str] = []
        page.on("request", lambda r: sent.append(r.url) if "/v1/transactions" in r.url else None)
        sign(page, "market:place_bid", listing_id, "1500", "54000")
        shown = values(page)
        assert (shown["energy"], shown["at_most"]) == ("1.5 kWh", "0.081")
        assert shown["price"] == "0.054 / kWh"
        keep_screenshot(page, "sign-question", whole=False)
        good_to_use(page)
        part(page, "refuse").click()
        page.wait_for_selector("#sign-dialog:not([open])", state="attached")
        assert (len(it.ledger.chain), sent) == (before, [])

        sign(page, "market:place_bid", listing_id, "1500", "54000")
        part(page, "sign").click()
        expect(part(page, "outcome")).to_have_text("It is on the ledger.")
        expect(part(page, "balance")).to_have_text("Free balance: 999.919 tokens")
        keep_screenshot(page, "sign-outcome", whole=False)
        assert len(it.ledger.chain) == before + 1
        part(page, "close").click()

        sign(page, "market:place_bid", listing_id, "9000", "54000000")
        part(page, "sign").click()
        expect(part(page, "outcome")).to_have_attribute("data-outcome", "refused")
        assert len(it.ledger.chain) == before + 1


def test_another_device_is_added_by_the_first_and_revoked(browser, it, home) -> None:
    with (
        device(browser, it) as desk,
        device(browser, it) as phone,
        device(browser, it, width=1280) as tablet,
    ):
        manager_desk(desk, it)
        enrolled(phone, desk, home)
        tablet.goto(it.sign_in(home.idgrid))
        tablet.goto("/account")
        tablet.click("text=Make a key here and ask my other device")
        letters = part(tablet, "comparison").inner_text()
        phone.goto("/account")
        asking = phone.locator("[data-part=asking] li")
        expect(asking).to_contain_text(letters)
        asking.locator("text=Add this device").click()
        part(phone, "sign").wait_for()
        assert values(phone)["key"] == letters
        answer_yes(phone)
        expect(part(tablet, "this-browser")).to_have_text(re.compile("has a key"))
        sign(tablet, "membership:withdraw_consent")
        answer_yes(tablet)

        row = phone.locator("[data-part=named] li", has_text=letters)
        row.locator("text=Revoke").click()
        answer_yes(phone)
        sign(tablet, "membership:withdraw_consent")
        part(tablet, "sign").click()
        expect(part(tablet, "outcome")).to_contain_text("may not sign")
        keep_screenshot(tablet, "device-revoked", whole=False)


@pytest.mark.row("E015")
def test_a_phrase_on_another_device_is_the_same_account_and_the_server_has_no_secret(
    browser, it, home
) -> None:
    with device(browser, it) as desk, device(browser, it) as first, device(browser, it) as second:
        manager_desk(desk, it)
        enrolled(first, desk, home)
        first.goto("/account")
        first.click("text=Set a password")
        first.fill("#new-password", PASSWORD)
        first.click("text=Set the password")
        expect(part(first, "done")).to_be_visible()
        first.click("text=Write down a recovery phrase")
        first.click("text=Show twelve words")
        answer_yes(first)
        phrase = part(first, "phrase").inner_text()
        balance = first.locator("#free-balance").inner_text()

        second.goto("/login")
        good_to_use(second)
        for _ in range(FAILURES_MAX - 1):
            logs_in(second, home, "not the password")
            expect(part(second, "problem")).to_have_text(re.compile("do not fit"))
        logs_in(second, home, PASSWORD)
        second.wait_for_url("**/")
        second.goto("/account")
        second.click("text=I have a recovery phrase")
        second.fill("#phrase", phrase.replace(phrase.split()[0], "nonsense"))
        second.click("text=Use this phrase")
        expect(part(second, "problem")).to_have_text("This word is in no phrase: nonsense")
        second.fill("#phrase", phrase)
        second.click("text=Use this phrase")
        expect(part(second, "this-browser")).to_have_text(re.compile("has a key"))
        assert second.locator("#money-title").inner_text() == home.idgrid
        assert second.locator("#free-balance").inner_text() == balance == "1,000.0000"
        sign(second, "membership:withdraw_consent")
        answer_yes(second)
        unreadable = """async () => {
          const { storedKeys } = await import('/static/keys/key_store.js');
          const [key] = await storedKeys();
          return crypto.subtle.exportKey('pkcs8', key.privateKey).then(() => 'read', () => 'no');
        }"""
        assert [first.evaluate(unreadable), second.evaluate(unreadable)] == ["no", "no"]
        scalar = second.evaluate(
            """async (phrase) => {
              const { masterScalar, seedOf } = await import('/static/keys/phrase.js');
              const { hex } = await import('/static/keys/bytes.js');
              return hex(await masterScalar(await seedOf(phrase)));
            }""",
            phrase,
        )
    with device(browser, it) as stranger:
        stranger.goto("/login")
        for _ in range(FAILURES_MAX):
            logs_in(stranger, home, "guessed wrong")
            expect(part(stranger, "problem")).to_have_text(re.compile("do not fit"))
        logs_in(stranger, home, PASSWORD)
        expect(part(stranger, "problem")).to_have_text(re.compile("Too many wrong passwords"))
        keep_screenshot(stranger, "login-locked")
    dump = database_dump(it)
    words = phrase.split()
    assert not any(f"{one} {two}" in dump for one, two in itertools.pairwise(words))
    for secret in (scalar, PASSWORD, "PRIVATE KEY"):
        assert secret.lower() not in dump.lower()
    assert "CERTIFICATE REQUEST" in dump


def logs_in(page: Page, home: Household, password: str) -> None:
    page.fill("#login-idgrid", home.idgrid)
    page.fill("#login-password", password)
    with page.expect_response("**/v1/login/password"):
        page.click("text=Sign in with a password")


def test_a_passkey_opens_a_session_and_signs_nothing(browser, it, home) -> None:
    with device(browser, it) as page:
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        page.goto(it.sign_in(home.idgrid))
        page.goto("/account")
        page.click("text=Add a passkey")
        expect(part(page, "done")).to_be_visible()
        page.click("text=Sign out")
        page.goto("/login")
        page.click("text=Sign in with a passkey")
        page.wait_for_url("**/")
        page.goto("/account")
        expect(page.locator("#money-title")).to_have_text(home.idgrid)
        before = len(it.ledger.chain)
        sign(page, "membership:withdraw_consent")
        expect(part(page, "outcome")).to_have_text("This browser has no key of this household.")
        assert len(it.ledger.chain) == before


def test_a_lost_key_is_recovered_in_person_and_after_a_day(browser, it, home) -> None:
    with device(browser, it) as desk, device(browser, it) as lost, device(browser, it) as new:
        manager_desk(desk, it)
        enrolled(lost, desk, home)
        letters = make_key(new, letter(desk, home, "recover"), "New phone")
        approve(desk, home, letters)
        part(desk, "sign").wait_for()
        assert desk.locator("#sign-title").inner_text() == "Give a household a new key after a day"
        answer_yes(desk)
        expect(new.locator("text=Your key is ready")).to_be_visible()
        new.goto("/account")
        row = new.locator("[data-part=named] li", has_text="New phone")
        expect(row.locator(".state")).to_have_text("waits for its time")
        keep_screenshot(new, "recovery-waits")
        sign(new, "membership:withdraw_consent")
        part(new, "sign").click()
        expect(part(new, "outcome")).to_contain_text("may not sign")
        part(new, "close").click()
        cool_down = timedelta(milliseconds=RECOVERY_COOL_DOWN_MS + 1000)
        it.act(lambda c: c.ledger.advance(seconds=cool_down.total_seconds()))
        for page in (new, lost):
            page.clock.set_fixed_time(it.community.ledger.now)
        new.goto(it.sign_in(home.idgrid))
        new.goto("/account")
        sign(new, "membership:withdraw_consent")
        answer_yes(new)
        lost.goto(it.sign_in(home.idgrid))
        lost.goto("/account")
        sign(lost, "membership:withdraw_consent")
        part(lost, "sign").click()
        expect(part(lost, "outcome")).to_contain_text("may not sign")


def test_a_recovery_nobody_asked_for_is_undone_on_the_page_where_one_signs_in(
    browser, it, home
) -> None:
    with device(browser, it) as desk, device(browser, it) as own, device(browser, it) as other:
        manager_desk(desk, it)
        enrolled(own, desk, home)
        letters = make_key(other, letter(desk, home, "recover"), "Not ours")
        approve(desk, home, letters)
        answer_yes(desk)
        expect(other.locator("text=Your key is ready")).to_be_visible()
        own.goto("/account")
        expect(own.locator("h1")).not_to_have_text("My Account")
        own.goto("/login")
        by_key = own.locator("[data-part=keys] button")
        expect(by_key).to_have_text(f"Sign in with this browser's key ({home.idgrid})")
        by_key.click()
        expect(part(own, "problem")).to_contain_text("can undo that")
        keep_screenshot(own, "recovery-not-asked-for")
        good_to_use(own)
        part(own, "undo").click()
        part(own, "sign").wait_for()
        assert values(own) == {"idgrid": home.idgrid, "key": letters}
        part(own, "sign").click()
        own.wait_for_url("**/")
        own.goto("/account")
        expect(own.locator("#money-title")).to_have_text(home.idgrid)
        other.goto("/account")
        expect(other.locator("h1")).not_to_have_text("My Account")


@pytest.mark.parametrize("width", WIDTHS)
def test_an_agent_trades_within_the_limits_a_household_signed_until_switched_off(
    browser, it, home, width, tmp_path
) -> None:
    with device(browser, it, width=1280) as desk, device(browser, it, width=width) as page:
        manager_desk(desk, it)
        enrolled(page, desk, home)
        page.goto("/account")
        page.click("text=An agent that trades while you sleep")
        fields = {"buys": "0.06", "hour": "1.5", "day": "4", "until": "2026-02-01"}
        for name, value in fields.items():
            page.fill(f"#agent-{name}", value)
        page.click("text=Make the agent's key")
        part(page, "sign").wait_for()
        assert page.locator("#sign-title").inner_text().startswith("Let an agent trade")
        shown = values(page)
        assert (shown["agent_buys"], shown["agent_sells"]) == ("0.06 / kWh", "nothing")
        assert (shown["agent_hour"], shown["agent_day"]) == ("1.5 kWh", "4 kWh")
        assert shown["until"] == "1 Feb 2026, 00:00"
        assert limits_signed(page)["until_ms"] == milliseconds(hour_of("2026-02-01T03"))
        keep_screenshot(page, "agent-question", whole=False)
        good_to_use(page)
        answer_yes(page)
        with page.expect_download() as downloading:
            part(page, "agent-file").click()
        file = tmp_path / downloading.value.suggested_filename
        downloading.value.save_as(file)
        row = page.locator("[data-part=named] li", has_text="agent")
        expect(row).to_contain_text("buys up to 0.06 tokens per kWh and sells nothing")
        expect(row).to_contain_text("at most 1.5 kWh an hour and 4 kWh a day")
        expect(row).to_contain_text("until 1 Feb 2026, 00:00")
        keep_screenshot(page, "agent-key")
        good_to_use(page)
        agent, listing_id = read_agent_key(file), open_listing(it)
        assert agent.idgrid == home.idgrid

        def bid(*args: str) -> str | None:
            return it._in_loop(bid_of_agent(it, agent, [listing_id, *args]))

        assert bid("1500", "60000") is None
        assert bid("1", "60000") == "AGENT_LIMIT"
        assert bid("1", "60001") == "AGENT_LIMIT"
        row.locator("text=Switch off").click()
        answer_yes(page)
        assert bid("1", "1") == "KEY_NOT_ACTIVE"
        secret = json.loads(file.read_text())["private_key_pem"].splitlines()[1]
        assert secret not in database_dump(it)


def limits_signed(page: Page) -> dict[str, int | None]:
    """The limits in the exact text that is signed."""
    call: list[str] = json.loads(page.locator("[data-part=technical]").text_content() or "")[
        "call"
    ]
    found: dict[str, int | None] = json.loads(call[2])
    return found


async def bid_of_agent(it: Village, agent: AgentKey, args: list[str]) -> str | None:
    """The code the bid was refused with."""
    async with httpx.AsyncClient(base_url=it.url) as http:
        try:
            client = HouseholdClient(http, agent.identity)
            await client.submit("market:place_bid", args, wait=True)
        except OrderRefused as refused:
            return refused.code
    return None


def test_a_gateway_that_changes_the_order_gets_no_second_signature(browser, it, home) -> None:
    listing_id = open_listing(it)
    with device(browser, it) as desk, device(browser, it) as page:
        manager_desk(desk, it)
        enrolled(page, desk, home)
        page.goto("/account")

        def another_payload(route) -> None:
            answer = route.fetch()
            body = answer.json()
            raw = bytearray(b64decode(body["to_sign"]))
            at = raw.find(b"54000")
            raw[at : at + 5] = b"99000"
            body["to_sign"] = b64encode(bytes(raw)).decode()
            route.fulfill(response=answer, json=body)

        page.route("**/v1/transactions/endorse", another_payload)
        before = len(it.ledger.chain)
        page.evaluate(
            """([name, args]) => { import('/static/keys/sign.js')
              .then((module) => module.sign(name, args))
              .catch((error) => { window.refusedFor = error.message }) }""",
            ["market:place_bid", [listing_id, "1500", "54000"]],
        )
        part(page, "sign").click()
        expect(part(page, "outcome")).to_have_attribute("data-outcome", "tampered")
        assert page.evaluate("window.refusedFor") == "the transaction has other arguments"
        assert len(it.ledger.chain) == before

"""Two households and their staff on a real network, each in a browser of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, Page, expect

from gateway.hems.virtual_meter import VirtualMeter
from tests.e2e.browser.chromium import (
    accessibility_findings,
    keep_screenshot,
    overflow_px,
    small_targets,
)
from tests.e2e.browser.key_steps import AUTHENTICATOR, answer_yes, approve, make_key, part
from tests.e2e.browser.test_trading_pages import confirm
from tests.e2e.running_demo import RunningDemo

TIMEOUT_MS = 60_000
STAFF = ("community_manager", "dso")
TOKENS = "100"


@dataclass(slots=True)
class Resident:
    """A household that is not registered yet, before its browser."""

    page: Page
    body: str
    idgrid: str
    meter: VirtualMeter
    source: str

    @property
    def width(self) -> int:
        """Of its screen, in px."""
        assert self.page.viewport_size is not None
        return self.page.viewport_size["width"]


@dataclass(frozen=True, slots=True)
class Desks:
    """The manager and the grid operator."""

    manager: Page
    operator: Page


def looked_at(page: Page, name: str, *, whole: bool = True) -> None:
    """Everyone can use the page as it is now; its picture is kept as `whole-way-<name>`."""
    keep_screenshot(page, f"whole-way-{name}", whole=whole)
    found = (overflow_px(page), small_targets(page), accessibility_findings(page))
    assert (name, *found) == (name, 0, [], [])


@contextmanager
def a_screen(browser: Browser, base: str, *, width: int, **options) -> Iterator[Page]:
    """A browser with nothing in it; an error in a script fails the test."""
    context = browser.new_context(
        base_url=base,
        locale="en-GB",
        viewport={"width": width, "height": 800},
        accept_downloads=True,
        **options,
    )
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if "Content Security" in m.text else None)
    try:
        yield page
    finally:
        context.close()
    assert errors == []


@contextmanager
def staff_at_their_desks(browser: Browser, demo: RunningDemo, base: str) -> Iterator[Desks]:
    """By the printed link, each with the key its organisation made; one session, two browsers."""
    link = demo.wait_for(r"manager ", 1).split()[1]
    with ExitStack() as stack:
        manager = stack.enter_context(a_screen(browser, base, width=1280))
        manager.goto(link.replace("127.0.0.1", "localhost"))
        state = manager.context.storage_state()
        operator = stack.enter_context(a_screen(browser, base, width=1280, storage_state=state))
        for page, role in zip((manager, operator), STAFF, strict=True):
            files = demo.settings.staff[role]
            page.goto("/manager/keys")
            page.set_input_files("#own-certificate", files.certificate)
            page.set_input_files("#own-file", files.key)
            page.fill("#own-mspid", files.mspid)
            page.click("text=Use this key")
            expect(part(page, "own-key")).to_have_text("This browser has your key.")
        yield Desks(manager, operator)


def join(desks: Desks, resident: Resident) -> None:
    """Registered, a letter with a code, a key made in the browser, approved, a passkey."""
    desk, page = desks.manager, resident.page
    desk.goto("/console/members")
    desk.fill("#new-body", resident.body)
    desk.select_option("#new-role", "prosumer")
    desk.fill("#new-name", f"Resident of {resident.body}")
    desk.fill("#new-email", f"{resident.body.lower()}@example.org")
    desk.get_by_role("button", name="Register").click()
    for title in ("Record personal data apart from the ledger", "Register an IDgrid"):
        expect(part(desk, "title")).to_have_text(title)
        part(desk, "sign").click()
    expect(part(desk, "letter")).to_contain_text(resident.idgrid)
    link = str(desk.locator("[data-url]").get_attribute("data-url"))
    desk.goto("/console/members")
    desk.select_option("#deposit-idgrid", resident.idgrid)
    desk.fill("#deposit-amount", TOKENS)
    desk.fill("#deposit-reference", "welcome")
    desk.get_by_role("button", name="Issue", exact=True).click()
    confirm(desk)
    desk.goto("/manager/keys")
    letters = make_key(page, link, f"Screen of {resident.width} px")
    looked_at(page, "enrol")
    approve(desk, resident, letters)
    answer_yes(desk)
    expect(page.locator("text=Your key is ready")).to_be_visible()
    _signs_in_with_a_passkey(page, resident.idgrid)


def _signs_in_with_a_passkey(page: Page, idgrid: str) -> None:
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    page.goto("/account")
    page.click("text=Add a passkey")
    expect(part(page, "done")).to_be_visible()
    page.click("text=Sign out")
    page.goto("/login")
    looked_at(page, "login")
    page.click("text=Sign in with a passkey")
    page.wait_for_url("**/")
    expect(page.locator(".who .name")).to_have_text(idgrid)


def connect(desks: Desks, resident: Resident) -> None:
    """The manager registers the meter, the grid operator approves it; the household agrees."""
    desk, operator, page = desks.manager, desks.operator, resident.page
    looked_at(page, "before-trading")
    expect(page.locator("[data-step=meter]")).to_have_attribute("data-state", "theirs")
    desk.goto("/console/meters")
    desk.fill("#meter-id", resident.meter.meter_id)
    desk.select_option("#meter-owner", resident.idgrid)
    desk.fill("#meter-key", public_key_hex(resident.meter))
    desk.get_by_role("button", name="Register").click()
    confirm(desk)
    operator.goto("/console")
    looked_at(operator, "queue")
    operator.locator(f'[data-meter="{resident.meter.meter_id}"]').get_by_role("button").click()
    expect(part(operator, "title")).to_have_text("Approve a meter")
    confirm(operator)
    expect(page.locator("[data-step=meter]")).to_have_attribute("data-state", "done")
    page.get_by_role("link", name="Read and sign").click()
    looked_at(page, "terms")
    page.get_by_role("button", name="I agree and sign").click()
    confirm(page)
    expect(page.locator("#agreed")).to_be_visible()
    page.goto("/devices")
    page.locator("#access").get_by_role("button", name="Let it read").click()
    confirm(page)
    page.locator("#new-source summary").click()
    page.fill("#res-id", resident.source)
    page.fill("#res-power", "4.5")
    page.locator("#sources").get_by_role("button", name="Register").click()
    expect(part(page, "lines")).to_contain_text("4.5 kW")
    confirm(page)
    _admitted(operator, resident)
    expect(page.locator("#readiness")).to_have_count(0)
    expect(page.locator(f'[data-source="{resident.source}"]')).to_contain_text("approved")
    looked_at(page, "devices")


def _admitted(operator: Page, resident: Resident) -> None:
    """The grid operator approves connection and source."""
    for section, name in (("people-title", resident.idgrid), ("sources-title", resident.source)):
        operator.goto("/console")
        row = operator.locator(f'[aria-labelledby="{section}"] li', has_text=name)
        row.get_by_role("button", name="Approve").click()
        confirm(operator)


def public_key_hex(meter: VirtualMeter) -> str:
    """As it stands on a meter's label: the uncompressed point."""
    return meter.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()

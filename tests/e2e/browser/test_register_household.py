"""A household is registered with its name on one page, and its letter is printed, in a browser."""

import io
import json
import re
from dataclasses import replace

import httpx
import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from gateway.api.access import SESSION_COOKIE
from gateway.identity.enrolment import LETTER_LIFETIME_MS
from gateway.notices.addresses import PrivateAddresses
from ledger.crypto.signing import Signer, SigningIdentity
from tests.e2e.browser.chromium import WIDTHS, keep_screenshot
from tests.e2e.browser.key_steps import (
    SUBMIT,
    answer_yes,
    approve,
    device,
    good_to_use,
    make_key,
    manager_desk,
    part,
    told,
    values,
)
from tests.e2e.browser.village import Village
from tests.unit.gateway.ledger_double import CHAINCODE

pytestmark = pytest.mark.full
NAME = "Eva Soto"
TRANSACTION = re.compile(r"^/explorer/transactions/[0-9a-f]{64}$")
FOLLOW = re.compile(r"/v1/transactions/[0-9a-f]{64}$")
LOOK = {
    "es": "Ver la transacción",
    "pt": "Ver a transação",
    "en": "Look at the transaction",
}
PDF_PAGE = re.compile(rb"/Type\s*/Page\b")


def fill(page: Page, body: str, name: str = "", email: str = "") -> None:
    page.goto("/console/members")
    page.fill("#new-body", body)
    page.select_option("#new-role", "prosumer")
    page.fill("#new-name", name)
    page.fill("#new-email", email)
    page.click("#register button[type=submit]")


def signs(page: Page, title: str) -> dict[str, str]:
    """What the next question says, which is answered with yes."""
    expect(part(page, "title")).to_have_text(title)
    shown = values(page)
    part(page, "sign").click()
    return shown


def blocks_hold(it: Village, text: str) -> bool:
    return any(text.encode() in entry for block in it.ledger.chain for entry in block.entries)


@pytest.mark.parametrize("width", WIDTHS)
def test_name_and_e_mail_the_idgrid_and_the_letter_come_in_one_step(browser, it, width) -> None:
    email = f"eva-{width}@example.org"
    with device(browser, it, width=width) as page, device(browser, it) as phone:
        manager_desk(page, it)
        fill(page, "VAL-0017", NAME, email.upper())
        signs(page, "Open the register of persons")
        shown = signs(page, "Record personal data apart from the ledger")
        assert shown == {"idgrid": "VAL-0017-X", "person_name": NAME, "person_email": email}
        shown = signs(page, "Register an IDgrid")
        assert (shown["idgrid"], len(shown["hash"])) == ("VAL-0017-X", 64)
        expect(part(page, "registered")).to_be_visible()
        expect(page.locator("#sign-dialog")).to_be_hidden()
        expect(part(page, "letter")).to_contain_text("VAL-0017-X")
        keep_screenshot(page, "register-household")
        good_to_use(page)
        page.emulate_media(media="print")
        expect(page.locator("#register")).to_be_hidden()
        expect(part(page, "qr").locator("svg")).to_be_visible()
        keep_screenshot(page, "register-letter-printed")
        printed = scanned(part(page, "letter").screenshot())
        code = page.locator("[data-part=code][data-url]")
        expect(code).to_have_text(re.compile(r"^(\w{4} ){5}\w{4}$"))
        assert len(PDF_PAGE.findall(page.pdf(format="A4"))) == 1, "code and QR are on one sheet"
        page.emulate_media(media="screen")

        person = it.act(lambda c: c.manager.evaluate("persons:get", "VAL-0017-X"))
        assert (person["name"], person["email"]) == (NAME, email)
        assert person["personal_data_hash"] == shown["hash"]
        assert not blocks_hold(it, NAME)
        assert not blocks_hold(it, email)
        assert found_by_address(it, page, email) == ["VAL-0017-X"]

        assert printed == str(page.locator("[data-url]").get_attribute("data-url"))
        letters = make_key(phone, printed)
        page.goto("/manager/keys")
        approve(page, it.act(lambda _: Registered("VAL-0017-X")), letters)
        answer_yes(page)
        expect(phone.locator("text=Your key is ready")).to_be_visible()


def scanned(picture: bytes) -> str:
    """What a phone reads of the one QR code in a picture."""
    (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture)))
    assert found.format == zxingcpp.BarcodeFormat.QRCode
    return str(found.text)


def test_a_scanned_letter_is_good_once_and_until_its_day(browser, it) -> None:
    with device(browser, it) as page, device(browser, it) as phone:
        manager_desk(page, it)
        links = []
        for body in ("VAL-0017", "VAL-0018"):
            fill(page, body)
            signs(page, "Register an IDgrid")
            expect(part(page, "registered")).to_be_visible()
            links.append(scanned(part(page, "qr").screenshot()))
        make_key(phone, links[0])
        with device(browser, it) as second:
            second.goto(links[0])
            expect(part(second, "problem")).to_contain_text("was used before, has expired")
        it.act(lambda c: c.ledger.advance(seconds=LETTER_LIFETIME_MS // 1000 + 1))
        with device(browser, it, width=1280) as late:
            late.goto(links[1])
            expect(part(late, "problem")).to_contain_text("was used before, has expired")
            keep_screenshot(late, "letter-expired")
            good_to_use(late)


class Registered:
    """Somebody with an IDgrid."""

    def __init__(self, idgrid: str) -> None:
        self.idgrid = idgrid


def found_by_address(it: Village, page: Page, email: str) -> list[str]:
    """What `/v1/participants?email=` answers the manager."""
    assert it.app is not None
    known = it.community.manager.identity
    reader = SigningIdentity(known.mspid, known.certificate_pem, Signer(known.private_key))
    addresses = PrivateAddresses(it.ledger, CHAINCODE, reader)
    it.app.state.services = replace(it.app.state.services, addresses=addresses)
    (cookie,) = [one for one in page.context.cookies() if one["name"] == SESSION_COOKIE]
    answer = httpx.get(
        f"{it.url}/v1/participants?email={email}", cookies={SESSION_COOKIE: cookie["value"]}
    )
    assert email not in json.dumps(answer.json())
    return [one["idgrid"] for one in answer.json()["items"]]


def test_a_registration_that_broke_off_goes_on_where_it_stopped(browser, it) -> None:
    with device(browser, it) as page:
        manager_desk(page, it)
        fill(page, "VAL-0017", NAME, "eva@example.org")
        signs(page, "Open the register of persons")
        signs(page, "Record personal data apart from the ledger")
        expect(part(page, "title")).to_have_text("Register an IDgrid")
        part(page, "refuse").click()
        before = len(it.ledger.chain)

        fill(page, "VAL-0018", "Another Name", "eva@example.org")
        expect(part(page, "problem")).to_have_text("Another household uses this e-mail address.")
        fill(page, "VAL-0017", "Another Name", "eva@example.org")
        expect(part(page, "problem")).to_contain_text(f"recorded with another name: {NAME}")
        fill(page, "VAL-0017", NAME)
        expect(part(page, "problem")).to_have_text("Give both name and e-mail, or neither.")
        assert len(it.ledger.chain) == before

        fill(page, "VAL-0017", NAME, "eva@example.org")
        signs(page, "Register an IDgrid")
        expect(part(page, "letter")).to_contain_text("VAL-0017-X")
        assert len(it.ledger.chain) == before + 1
        fill(page, "VAL-0017", NAME, "eva@example.org")
        expect(part(page, "letter")).to_contain_text("VAL-0017-X")
        assert len(it.ledger.chain) == before + 1
        fill(page, "VAL-0017", NAME, "other@example.org")
        expect(part(page, "problem")).to_contain_text("with other personal data")


def test_no_letter_is_written_for_an_idgrid_that_is_not_on_the_ledger_yet(browser, it) -> None:
    with device(browser, it) as page:
        manager_desk(page, it)
        letters: list[str] = []
        page.on("request", lambda one: letters.append(one.url) if "/letters" in one.url else None)
        page.route(SUBMIT, lambda route: route.fulfill(status=202, json={"status": "submitted"}))
        fill(page, "VAL-0017")
        signs(page, "Register an IDgrid")
        assert told(page, "undecided").startswith("It was sent, and is not on the ledger yet.")
        expect(part(page, "problem")).to_contain_text("is not on the ledger yet")
        link = page.locator("#register [data-part=problem-transaction] a")
        expect(link).to_have_attribute("href", TRANSACTION)
        expect(part(page, "registered")).to_have_count(0)
        assert letters == []
        keep_screenshot(page, "register-sent-only")
        part(page, "close").click()
        page.unroute(SUBMIT)
        page.click("#register button[type=submit]")
        expect(link).to_be_hidden()
        signs(page, "Register an IDgrid")
        expect(part(page, "letter")).to_contain_text("VAL-0017-X")
        assert len(letters) == 1


@pytest.mark.parametrize(("width", "locale"), [(360, "es"), (1280, "pt"), (360, "en")])
def test_a_registration_that_a_block_has_as_invalid_leads_to_its_transaction(
    browser, it, width, locale
) -> None:
    found = {"status": "invalid", "code": "ENDORSEMENT_POLICY_FAILURE", "is_retryable": False}
    with device(browser, it, width=width) as page:
        manager_desk(page, it)
        page.context.set_extra_http_headers({"accept-language": locale})
        page.route(SUBMIT, lambda route: route.fulfill(status=202, json={"status": "submitted"}))
        page.route(FOLLOW, lambda route: route.fulfill(json=found))
        fill(page, "VAL-0017")
        part(page, "sign").click()
        told(page, "refused")
        part(page, "close").click()
        box = page.locator("#register")
        expect(box.locator("[data-part=problem]")).to_be_visible()
        link = box.get_by_role("link", name=LOOK[locale])
        expect(link).to_have_attribute("href", TRANSACTION)
        link.scroll_into_view_if_needed()
        keep_screenshot(page, f"register-invalid-{locale}", whole=False)
        good_to_use(page)


def test_without_a_name_the_hash_is_random_and_a_letter_comes_all_the_same(browser, it) -> None:
    with device(browser, it) as page:
        manager_desk(page, it)
        fill(page, "VAL-0017")
        shown = signs(page, "Register an IDgrid")
        assert len(shown["hash"]) == 64
        expect(part(page, "letter")).to_contain_text("VAL-0017-X")
        expect(part(page, "recorded")).to_have_count(0)

"""Steps with keys in a real browser that several tests take: letters, keys, confirmations."""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from playwright.sync_api import Browser, Page, expect

from ledger.crypto.signing import private_key_pem
from tests.e2e.browser.chromium import accessibility_findings, overflow_px, small_targets
from tests.e2e.browser.village import Village
from tests.unit.energy.community import COOP, Household

TIMEOUT_MS = 60_000
KEEP_KEY = """async ({pkcs8, spki, fingerprint, idgrid, mspid, pem}) => {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const { keepKey } = await import("/static/keys/key_store.js");
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const privateKey = await crypto.subtle.importKey("pkcs8", bytes(pkcs8), curve, false, ["sign"]);
  await keepKey({ fingerprint, idgrid, mspid, privateKey, publicKeyDer: bytes(spki),
                  certificatePem: pem, kind: "device", createdMs: Date.now() });
}"""
SUBMIT = re.compile(r"/v1/transactions\?")
"""Address of what is signed on its way to ordering."""
STEP_MS = 500
STEPS_MAX = 2_000
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@contextmanager
def device(browser: Browser, it: Village, *, width: int = 360) -> Iterator[Page]:
    """A browser of its own, at the village's time; an error in a script fails the test."""
    context = browser.new_context(
        base_url=it.url.replace("127.0.0.1", "localhost"),
        locale="en-GB",
        viewport={"width": width, "height": 800},
    )
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.clock.set_fixed_time(it.community.ledger.now)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if "Content Security" in m.text else None)
    try:
        yield page
    finally:
        context.close()
    assert errors == []


def signed_in_with_key(page: Page, it: Village, home: Household) -> None:
    """Signed in at the community's time, with the key that joining leaves in this browser."""
    page.clock.set_system_time(it.community.ledger.now)
    page.goto(it.url + it.sign_in(home.idgrid))
    identity = home.client.identity
    public = identity.private_key.public_key()
    page.evaluate(
        KEEP_KEY,
        {
            "pkcs8": in_base64(
                identity.private_key.private_bytes(
                    Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
                )
            ),
            "spki": in_base64(
                public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            ),
            "fingerprint": identity.public_key.hex(),
            "idgrid": home.idgrid,
            "mspid": identity.mspid,
            "pem": identity.certificate_pem.decode(),
        },
    )


def in_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def part(page: Page, name: str):
    return page.locator(f'[data-part="{name}"]:visible').first


def manager_desk(page: Page, it: Village) -> None:
    """The manager signs in and gives this browser the key its organisation made."""
    identity = it.community.manager.identity
    page.goto(it.sign_in(is_manager=True))
    page.goto("/manager/keys")
    for field, content in (
        ("#own-certificate", identity.certificate_pem),
        ("#own-file", private_key_pem(identity.private_key)),
    ):
        file = {"name": "a.pem", "mimeType": "application/x-pem-file", "buffer": content}
        page.set_input_files(field, file)
    page.fill("#own-mspid", COOP)
    page.click("text=Use this key")
    expect(part(page, "own-key")).to_have_text("This browser has your key.")


def letter(page: Page, home: Household, purpose: str = "enrol") -> str:
    """The manager writes a letter; its link."""
    page.fill("#letter-idgrid", home.idgrid)
    page.select_option("#letter-purpose", purpose)
    with page.expect_response("**/v1/letters") as answer:
        page.click("text=Write the letter")
    link = str(answer.value.json()["url"])
    page.wait_for_selector(f'[data-part=code][data-url="{link}"]:visible')
    return link


def make_key(page: Page, link: str, label: str = "My phone") -> str:
    """The household opens the link and makes its key; the letters on its screen."""
    page.goto(link)
    page.fill("#device-label", label)
    page.click("text=Make my key")
    return part(page, "comparison").inner_text()


def approve(page: Page, home: Household, letters: str) -> None:
    row = page.locator("[data-part=waiting] li", has_text=home.idgrid)
    row.locator("input").fill(letters)
    row.locator("text=Approve").click()


def answer_yes(page: Page) -> None:
    part(page, "sign").click()
    expect(part(page, "outcome")).to_have_text("It is on the ledger.")
    part(page, "close").click()


def enrolled(page: Page, desk: Page, home: Household) -> None:
    """The whole way from the letter to a signed-in browser with a key."""
    letters = make_key(page, letter(desk, home))
    approve(desk, home, letters)
    answer_yes(desk)
    expect(page.locator("text=Your key is ready")).to_be_visible()


def sign(page: Page, function: str, *args: str) -> None:
    """What a page's form does: ask to sign; the dialog is open when this returns."""
    script = "([name, args]) => { import('/static/keys/sign.js').then((m) => m.sign(name, args)"
    page.evaluate(script + ".catch(() => null)) }", [function, list(args)])
    page.wait_for_selector("#sign-dialog[open]")


def told(page: Page, outcome: str) -> str:
    """What the dialog says at the end; the script's pauses pass by the page's clock."""
    shown = page.locator(f"#sign-dialog [data-outcome={outcome}]:visible")
    for _ in range(STEPS_MAX):
        if shown.count():
            break
        page.clock.run_for(STEP_MS)
    expect(shown).to_be_visible()
    return shown.inner_text()


def values(page: Page) -> dict[str, str]:
    return {
        str(one.get_attribute("data-value")): one.inner_text()
        for one in page.locator("#sign-dialog [data-value]").all()
    }


def good_to_use(page: Page) -> None:
    assert accessibility_findings(page) == []
    assert small_targets(page) == []
    assert overflow_px(page) == 0

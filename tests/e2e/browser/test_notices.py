"""Notices in Chromium: chosen, shown by the service worker, posted to a program."""

import json
from dataclasses import replace

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from gateway.local_time import fixed
from gateway.notices.following import Noticing
from gateway.notices.outside_http import Reach
from gateway.notices.push_devices import PushDevices
from gateway.notices.records import Channel
from gateway.notices.ways import NoticeWays
from gateway.notices.web_push import Sender, message, new_sender_key
from gateway.notices.webhooks import MASTER_BYTES, Webhooks
from gateway.web.notice_texts import NoticeWriter
from tests.e2e.browser.chromium import (
    WIDTHS,
    accessibility_findings,
    keep_screenshot,
    overflow_px,
    page_in,
    small_targets,
)
from tests.e2e.browser.street import live_through, settle_in
from tests.e2e.browser.village import Village, village

pytestmark = pytest.mark.slow
ENDPOINT = "https://push.example.org/send/1"
WITHOUT_PUSH_SERVICE = """([endpoint]) => {
  PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
    if (!userVisibleOnly || applicationServerKey.length !== 65) throw new Error("not asked so");
    const kind = { name: "ECDH", namedCurve: "P-256" };
    const pair = await crypto.subtle.generateKey(kind, true, ["deriveBits"]);
    const text = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
      .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    const keys = {
      p256dh: text(await crypto.subtle.exportKey("raw", pair.publicKey)),
      auth: text(crypto.getRandomValues(new Uint8Array(16))),
    };
    return { toJSON: () => ({ endpoint, expirationTime: null, keys }) };
  };
}"""
"""Chromium without its maker's service cannot subscribe; the rest of the way is real."""


def notices_of(it: Village) -> NoticeWays:
    services = it.services
    database, clock_ms = services.readmodel.database, services.clock_ms
    sender = Sender(new_sender_key(), "mailto:operator@street.example")
    return NoticeWays(
        channels=tuple(Channel),
        webhooks=Webhooks(database, clock_ms, Reach(), bytes(MASTER_BYTES)),
        push=PushDevices(database, clock_ms, Reach(), sender.public_key),
        push_sender=sender,
    )


def told(it: Village) -> None:
    """Everything that happened, as notices."""
    services = it.services
    noticing = Noticing(services.notices, services.readmodel, services.clock_ms)
    while noticing.step():
        pass


def push_by_protocol(context: BrowserContext, page: Page, origin: str, data: bytes) -> None:
    """As if the browser's push service had brought it."""
    devtools = context.new_cdp_session(page)
    found: list[str] = []

    def hear(event: dict[str, list[dict[str, str]]]) -> None:
        found.extend(one["registrationId"] for one in event["registrations"])

    devtools.on("ServiceWorker.workerRegistrationUpdated", hear)
    devtools.send("ServiceWorker.enable")
    page.evaluate(LISTED)
    assert found
    devtools.send(
        "ServiceWorker.deliverPushMessage",
        {"origin": origin, "registrationId": found[-1], "data": data.decode()},
    )


LISTED = """async () => {
  const registration = await navigator.serviceWorker.ready;
  return (await registration.getNotifications()).length;
}"""
"""Asked before a notice comes: when first asked, Chromium compares what it has with what is on
the screen, and can take a notice that comes meanwhile for one that somebody closed."""

ADDRESS_CHANGED = """() => {
  const changed = new ExtendableEvent("pushsubscriptionchange");
  let done = null;
  changed.waitUntil = (promise) => { done = promise; };
  self.dispatchEvent(changed);
  return done;
}"""
"""Answers when the worker has done what it does about it."""

SHOWN_IN = """async ([lang, timeout_ms]) => {
  const registration = await navigator.serviceWorker.ready;
  const until_ms = performance.now() + timeout_ms;
  let shown = [];
  while (!shown.some((one) => one.lang === lang)) {
    if (performance.now() > until_ms) throw new Error(`shown: ${JSON.stringify(shown)}`);
    await new Promise(requestAnimationFrame);
    shown = (await registration.getNotifications())
      .map(({ title, body, tag, lang }) => ({ title, body, tag, lang }));
  }
  return shown;
}"""
"""A page's `wait_for_function` does not await a promise: the waiting is done here."""
SHOWN_TIMEOUT_MS = 60_000


def test_a_household_reads_chooses_and_is_told_on_its_device(browser):
    with village() as it:
        street = settle_in(it)
        live_through(it, street, hours=4)
        ways = notices_of(it)
        assert it.app is not None
        it.app.state.services = replace(it.services, notice_ways=ways)
        told(it)
        idgrid = street.sunny.idgrid
        for width in WIDTHS:
            with page_in(browser, width=width, permissions=["notifications"]) as page:
                page.goto(it.url + it.sign_in(idgrid))
                page.goto(it.url + "/notices")
                expect(page.get_by_text("Energy is settled").first).to_be_visible()
                looked_at(page, "notices")
                chooses_and_adds_this_device(page, it)
                assert len(ways.push.of(idgrid)) == 1
                names_a_program(page, it)
                is_shown_once(page, it, idgrid)
                renews_its_address(page, ways, idgrid, f"{ENDPOINT}-{width}")


REFUSALS = {
    "denied": {
        "en-GB": "This browser does not let these pages show notices.",
        "es-CL": "Este navegador no permite que estas páginas muestren avisos.",
        "pt-PT": "Este navegador não deixa estas páginas mostrar avisos.",
    },
    "no-service": {
        "en-GB": "This browser reaches no push service",
        "es-CL": "Este navegador no llega a ningún servicio de notificaciones",
        "pt-PT": "Este navegador não alcança nenhum serviço de notificações",
    },
    "key": {
        "en-GB": "This browser does not take this community's key",
        "es-CL": "Este navegador no acepta la clave de esta comunidad",
        "pt-PT": "Este navegador não aceita a chave desta comunidade",
    },
    "other": {
        "en-GB": "This browser could not switch notices on.",
        "es-CL": "Este navegador no pudo activar los avisos.",
        "pt-PT": "Este navegador não conseguiu ativar os avisos.",
    },
}
BROKEN = """() => {
  PushManager.prototype.subscribe = async () => { throw new TypeError("It broke."); };
}"""
WRONG_KEY = "AAAA"


def test_why_notices_were_not_switched_on_is_told_in_the_reader_s_words(browser):
    with village() as it:
        street = settle_in(it)
        assert it.app is not None
        it.app.state.services = replace(it.services, notice_ways=notices_of(it))
        for locale, width in (("en-GB", 1280), ("es-CL", 360), ("pt-PT", 1280)):
            for kind, sentences in REFUSALS.items():
                allowed = [] if kind == "denied" else ["notifications"]
                reader = {"width": width, "locale": locale, "permissions": allowed}
                with page_in(browser, may_fail=kind == "no-service", **reader) as page:
                    page.goto(it.url + it.sign_in(street.sunny.idgrid))
                    page.goto(it.url + "/account")
                    said = refused_for(page, kind)
                    expect(page.locator("[data-push] [role=status]")).to_contain_text(
                        sentences[locale]
                    )
                    details = page.locator("[data-push] [data-part=said]")
                    assert details.locator("p").text_content() == said
                    assert bool(said) == details.is_visible() == (kind != "denied")
                    if kind == "no-service":
                        details.locator("summary").click()
                        looked_at(page, f"push-{kind}-{locale[:2]}")


def refused_for(page: Page, kind: str) -> str:
    """Ask for notices where they cannot be had; what the browser says about it itself."""
    if kind == "key":
        found = {"public_key": WRONG_KEY}
        page.route("**/v1/push-devices/key", lambda route: route.fulfill(json=found))
    if kind == "other":
        page.evaluate(BROKEN)
    page.locator("[data-push] button").click()
    expect(page.locator("[data-push] [role=status]")).not_to_be_empty()
    said: str = "" if kind == "denied" else page.evaluate(ASKED)
    return said


ASKED = """async () => {
  const registration = await navigator.serviceWorker.ready;
  const { public_key: key } = await (await fetch("/v1/push-devices/key")).json();
  const text = atob(key.replaceAll("-", "+").replaceAll("_", "/"));
  const applicationServerKey = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const asked = { userVisibleOnly: true, applicationServerKey };
  return registration.pushManager.subscribe(asked).then(() => "", (error) => error.message);
}"""
"""What this Chromium says; a context of its own is a private window, which has no push service."""


def chooses_and_adds_this_device(page: Page, it: Village) -> None:
    page.goto(it.url + "/account")
    looked_at(page, "notices-choices")
    page.get_by_label("A market is open: Inbox").set_checked(False)
    with page.expect_navigation():
        page.get_by_role("button", name="Keep these choices").click()
    expect(page.get_by_label("A market is open: Inbox")).not_to_be_checked()
    expect(page.get_by_label("Energy is settled: Inbox")).to_be_checked()
    page.evaluate(WITHOUT_PUSH_SERVICE, [ENDPOINT])
    # What the other width has left shows a "Remove" too: only the page's own reload tells.
    with page.expect_navigation():
        page.get_by_role("button", name="Show my notices on this device").click()
    remove = page.locator("#notices").get_by_role("button", name="Remove")
    expect(remove).to_be_visible()


def names_a_program(page: Page, it: Village) -> None:
    page.goto(it.url + "/notices/webhooks")
    page.get_by_label("Address of a program of yours").fill("https://example.org/me")
    page.get_by_role("button", name="Post my notices there").click()
    expect(page.locator("#webhook-secret")).to_contain_text("whsec_")
    looked_at(page, "webhooks")
    page.get_by_role("button", name="Remove https://example.org/me").click()
    expect(page.get_by_text("nothing yet")).to_be_visible()


def is_shown_once(page: Page, it: Village, idgrid: str) -> None:
    """What came twice has one place on the screen: the later one's, in its language."""
    notice = it.services.notices.inbox(idgrid, 1)[0].notice
    writer = NoticeWriter("La Ligua", fixed(-180))
    for lang in ("en", "es"):
        text = writer.told(notice, lang)
        content = message(notice.name, text, lang)
        push_by_protocol(page.context, page, it.url, content)
        (shown,) = page.evaluate(SHOWN_IN, [lang, SHOWN_TIMEOUT_MS])
        assert shown == {
            "title": text.title,
            "body": text.sentence,
            "tag": json.loads(content)["id"],
            "lang": lang,
        }


def renews_its_address(page: Page, ways: NoticeWays, idgrid: str, endpoint: str) -> None:
    """The push service gave the browser another address, and the worker names it."""
    (worker,) = page.context.service_workers
    worker.evaluate(WITHOUT_PUSH_SERVICE, [endpoint])
    assert ways.push is not None
    before = ways.push.of(idgrid)
    worker.evaluate(ADDRESS_CHANGED)
    (renewed,) = [device for device in ways.push.of(idgrid) if device not in before]
    ways.push.remove(renewed.push_id, idgrid)  # as it was, for the other width


def looked_at(page: Page, name: str) -> None:
    keep_screenshot(page, name)
    assert overflow_px(page) == 0
    assert accessibility_findings(page) == []
    assert small_targets(page) == []

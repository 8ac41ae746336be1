"""A household joins in a real browser, against four real validators and the real authority."""

import time

import httpx
import pytest

from tests.e2e.browser.chromium import chromium
from tests.e2e.browser.key_steps import answer_yes, approve, letter, make_key, part, sign, values
from tests.e2e.running_demo import RunningDemo
from tests.e2e.scene import HASH, Scene, play

pytestmark = pytest.mark.slow


class Joining:
    """What the shared steps need to know of a household."""

    def __init__(self, idgrid: str) -> None:
        self.idgrid = idgrid


def test_a_browser_s_key_signs_what_real_validators_take(demo: RunningDemo) -> None:
    found: dict[str, str] = {}

    async def registered(it: Scene) -> None:
        body = (await it.on_every_peer("registry:complete_idgrid", "FON-7001"))[0]
        found["idgrid"] = body.decode()
        found["session"] = (await it.manager_session())["Authorization"].removeprefix("Bearer ")
        await it.actors["community_manager"].commit(
            "registry:register_participant", found["idgrid"], "consumer", HASH
        )

    play(demo, registered)
    files = demo.settings.staff["community_manager"]
    url = demo.settings.gateway_url.replace("127.0.0.1", "localhost")
    cookie = {"name": "gridledger_session", "value": found["session"], "url": url}
    home = Joining(found["idgrid"])
    with chromium() as browser:
        desk_context = browser.new_context(base_url=url, locale="en-GB")
        desk_context.add_cookies([cookie])
        desk, page = (
            desk_context.new_page(),
            browser.new_context(base_url=url, locale="en-GB").new_page(),
        )
        desk.goto("/manager/keys")
        desk.set_input_files("#own-certificate", files.certificate)
        desk.set_input_files("#own-file", files.key)
        desk.fill("#own-mspid", files.mspid)
        desk.click("text=Use this key")
        letters = make_key(page, letter(desk, home))
        approve(desk, home, letters)
        answer_yes(desk)
        page.wait_for_selector("text=Your key is ready")
        page.goto("/account")
        sign(page, "membership:consent", HASH)
        part(page, "sign").wait_for()
        assert values(page) == {"terms": HASH}
        answer_yes(page)
    participant = agreed(url, found)
    assert participant["terms_hash"] == HASH
    assert abs(participant["consented_ms"] - time.time() * 1000) < 600_000
    [signer] = participant["signers"].values()
    assert (signer["kind"], signer["revoked_ms"]) == ("device", None)


def agreed(url: str, found: dict[str, str]) -> dict:
    headers = {"Authorization": f"Bearer {found['session']}"}
    answer = httpx.get(f"{url}/v1/participants/{found['idgrid']}", headers=headers)
    content: dict = answer.json()
    return content

"""Every route against every kind of visitor: docs/access.md is the table.

The household ONE has traded, posted and owns the devices; each row asks for what is its.
"""

import asyncio
import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from chaincode.shim.testing import TestClient
from gateway.application import create_app
from gateway.hems.batteries import Observation
from gateway.identity.scopes import Role
from gateway.identity.sessions import Viewer
from gateway.notices.outside_http import Reach
from gateway.notices.push_devices import PushDevices
from gateway.notices.ways import NoticeWays
from gateway.notices.webhooks import MASTER_BYTES, Webhooks
from gateway.services import Services
from tests.e2e.browser import street
from tests.e2e.browser.village import NO_RATE_LIMIT, Village, village
from tests.support.signing_requests import signing_request
from tests.support.village_authority import VillageIssuer
from tests.unit.energy.community import COOP, Community
from tests.unit.energy.oracle.panel import with_battery
from tests.unit.gateway.metering.data_service import Keys, Scene
from tests.unit.gateway.metering.test_transfers import transfer
from tests.unit.gateway.notices.push_browser import a_subscription, as_sent

DOCUMENT = Path(__file__).parents[3] / "docs" / "access.md"
ALL, UNNAMED, NO = "all", "unnamed", "no"
GRADES = {ALL, UNNAMED, NO}
WHO = ("visitor", "owner", "neighbour", "manager", "operator", "auditor", "oracle")
SHUT = {"not-signed-in", "forbidden"}
ROW = re.compile(r"^\| `(GET|POST|PUT|DELETE)` \| `([^`]+)` \| (.+) \|$", re.MULTILINE)
STREAM = "/v1/events"
"""Has no end; `test_live.py` reads it."""
HOUR = "2026-01-14T12"
STORED_WH = 4_200
PLUG = "kettle"
GIVEN_AWAY, GIVEN_AWAY_WH = "battery-given", 3_700
QUESTIONS = "/v1/queries"


def documented() -> dict[tuple[str, str], tuple[str, ...]]:
    text = DOCUMENT.read_text(encoding="utf-8")
    return {
        (method, path): tuple(cell.strip() for cell in cells.split("|"))
        for method, path, cells in ROW.findall(text)
    }


def routes_of(app: Any) -> set[tuple[str, str]]:
    """Method and path of everything that is served, but the static files."""
    found = set()
    for outer in app.routes:
        inner = getattr(outer, "original_router", None)
        for route in inner.routes if inner is not None else [outer]:
            methods = set(getattr(route, "methods", None) or ()) - {"HEAD"}
            found |= {(method, route.path) for method in methods}
    return found


class Place:
    """A street with a past, and its gateway with devices, asked without a socket."""

    def __init__(self, it: Village) -> None:
        self.it = it
        homes = street.settle_in(it)
        self.one, self.other = homes.sunny, homes.flat
        self.battery_id = it.act(lambda community: with_battery(community, self.one))
        it.act(self._give_a_battery_away)
        it.act(self._plug_in)
        street.live_through(it, homes, hours=5)
        self.post_id, self.dealt_id = self._posted(), self._posted()
        it.act(lambda _: homes.bakery.client.submit("marketplace:buy", self.dealt_id))
        self.app = create_app(self._services(), rate=NO_RATE_LIMIT)

    def _give_a_battery_away(self, _: Community) -> None:
        """The device goes to the neighbour; ONE's source keeps its name."""
        one, other = self.one.client, self.other.client
        one.submit("registry:register_res", GIVEN_AWAY, self.one.idgrid, "battery", 5_000)
        key = self.one.meter.public_key.hex()
        one.submit("devices:register", GIVEN_AWAY, "battery", self.one.idgrid, key, GIVEN_AWAY)
        one.submit("devices:offer_transfer", GIVEN_AWAY, self.other.idgrid)
        other.submit("devices:accept_transfer", GIVEN_AWAY, "")

    def _plug_in(self, community: Community) -> None:
        """ONE's approved plug: nothing else is switched."""
        key = community.ledger.client(COOP, PLUG).identity.public_key.hex()
        community.dso.submit("devices:register", PLUG, "plug", self.one.idgrid, key)
        community.dso.submit("registry:approve_meter", PLUG)

    def _posted(self) -> str:
        it = self.it
        now = it.community.ledger.now
        hour = (now + timedelta(hours=3)).strftime("%Y-%m-%dT%H")
        made = it.act(
            lambda _: self.one.client.submit(
                "marketplace:post_offer", hour, self.one.res_id, "500", "20000", "unchecked"
            )
        )
        return str(made["post_id"])

    def _services(self) -> Services:
        services = self.it.services
        now_ms = services.clock_ms()
        assert services.batteries.record(self.battery_id, Observation(now_ms, STORED_WH))
        assert services.batteries.record(GIVEN_AWAY, Observation(now_ms, GIVEN_AWAY_WH))
        meters = self.it.meters[self.one.meter_id]
        scene = Scene(Keys(meters), now_ms=services.clock_ms())
        scene.hear_reading(meters)
        scene.now_ms += 10**7
        scene.service.watch(scene.now_ms)
        ends = [
            replace(end, idgrid=self.one.idgrid) for end in (transfer().seller, transfer().buyer)
        ]
        scene.stores.transfers.plan(transfer("t-1", 1, seller=ends[0], buyer=ends[1]))
        for who, viewer in self.viewers().items():
            services.sessions.admit(who, viewer)
        webhooks = Webhooks(
            services.readmodel.database, services.clock_ms, Reach(), bytes(MASTER_BYTES)
        )
        push = PushDevices(
            services.readmodel.database, services.clock_ms, Reach(), bytes(range(65))
        )
        ways = NoticeWays(webhooks=webhooks, push=push)
        return replace(services, hems=scene.service, notice_ways=ways)

    def viewers(self) -> dict[str, Viewer]:
        return {
            "owner": Viewer(self.one.idgrid),
            "neighbour": Viewer(self.other.idgrid),
            "manager": Viewer("", is_manager=True),
            "operator": Viewer("", staff_role=Role.OPERATOR),
            "auditor": Viewer("", staff_role=Role.AUDITOR),
            "oracle": Viewer("", is_oracle=True),
        }

    def keys(self) -> dict[str, TestClient]:
        """A signing key of each kind of visitor; the visitor's own certificate has no role."""
        community = self.it.community
        ledger = community.ledger
        return {
            "visitor": ledger.client(COOP, "nobody"),
            "owner": self.one.client,
            "neighbour": self.other.client,
            "manager": community.manager,
            "operator": community.dso,
            "auditor": ledger.client(COOP, "auditor", attributes={"role": "auditor"}),
            "oracle": community.oracle,
        }

    def questions(self) -> dict[str, list[str]]:
        """What a neighbour might ask about ONE in its own name."""
        one = self.one
        return {
            **{name: [one.idgrid] for name in OF_A_HOUSEHOLD},
            **{name: [HOUR, one.idgrid] for name in OF_AN_HOUR},
            "statements:preview": [one.idgrid, "2026-01"],
            "access:meter_series": [one.meter_id, "0", "9999999999999"],
            "oracle:last_reading": [one.meter_id],
            "devices:get": [one.meter_id],
            "registry:get_res": [one.res_id],
            "marketplace:get_post": [self.dealt_id],
            "market:get_result": [HOUR],
        }

    def url(self, path: str) -> str:
        latest = self.it.services.readmodel.height - 1
        tx_id = self.it.services.readmodel.transaction_ids(latest, latest)[latest][0]
        values = {
            "tx_id": tx_id,
            "listing_id": HOUR,
            "idgrid": self.one.idgrid,
            "meter_id": self.one.meter_id,
            "device_id": PLUG if path.endswith("/switch") else self.one.meter_id,
            "battery_id": self.battery_id,
            "post_id": self.post_id,
            "month": "2026-01",
            "transfer_id": "t-1",
            "command_id": "c-1",
            "request_id": "0" * 24,
            "number": str(latest),
            "slug": "forbidden",
            "token_id": "0" * 16,
            "webhook_id": "0" * 16,
            "push_id": "0" * 16,
            "passkey_id": "0" * 24,
            "session_id": "0" * 24,
            "token": "made-up",
            "name": "devices",
        }
        return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], path) + QUERIES.get(path, "")


OF_A_HOUSEHOLD = (
    *("tokens:account", "registry:get_participant", "access:list_grants"),
    "settlement:reputation",
)
OF_AN_HOUR = (
    *("market:get_orders", "market:get_line", "auction:get_matches", "auction:get_trades"),
)
QUERIES = {
    "/v1/currencies": "?utoken=1",
    "/v1/search": "?q=1",
    "/explorer/search": "?q=VAL",
    "/v1/meters/{meter_id}/signed-readings": "?after_ms=0&until_ms=1",
}
REQUEST_PEM = {"request_pem": signing_request()}
LETTERS = {"comparison_code": "AAAA-BBBB-CCCC"}
SECRET = {"secret": "guessed"}
CREATOR = {"mspid": "CooperativeMSP", "certificate_pem": "x"}
ORDER = {"listing_id": HOUR, "energy_wh": 1, "price_utoken_per_kwh": 1}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/proposals": {"creator": CREATOR, "function": "tokens:account", "args": []},
    "/v1/offers/prepare": {"creator": CREATOR, "res_id": "pv-1", **ORDER},
    "/v1/bids/prepare": {"creator": CREATOR, **ORDER},
    "/v1/transactions/endorse": {"proposal": "QQ==", "signature": "QQ=="},
    "/v1/transactions": {"payload": "QQ==", "signature": "QQ=="},
    "/v1/devices/{device_id}/switch": {"on": True},
    "/v1/letters": {"idgrid": "VAL-0000-G", "purpose": "recover"},
    "/v1/letters/open": {"code": "wrong"},
    "/v1/enrolments": {"code": "wrong", **REQUEST_PEM},
    "/v1/enrolments/{request_id}/collect": SECRET,
    "/v1/enrolments/{request_id}/session": SECRET,
    "/v1/enrolments/{request_id}/compare": LETTERS,
    "/v1/enrolments/{request_id}/approve": LETTERS,
    "/v1/keys/requests": REQUEST_PEM,
    "/v1/keys/certificates": REQUEST_PEM,
    "/v1/login/password": {"idgrid": "VAL-9999-Z", "password": "wrong"},
    "/v1/password": {"password": "a long enough one"},
    "/v1/passkeys": {"credential": {}},
    "/v1/login/passkey": {"credential": {}},
    "/v1/login/key": {"idgrid": "VAL-9999-Z"}
    | dict.fromkeys(("public_key", "challenge", "signature"), "QQ=="),
    "/v1/tokens": {"label": "x", "scopes": ["own:read"]},
    "/v1/webhooks": {"url": "https://example.org/notices"},
    "/v1/push-devices": as_sent(a_subscription()),
}


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with village(issuer=VillageIssuer()) as it:
        yield Place(it)


def ask(place: Place, method: str, path: str, who: str) -> httpx.Response:
    if path == QUESTIONS:
        return ask_the_contracts(place, "market:get_listing", [HOUR], key="visitor", session=who)
    body = BODIES.get(path, {}) if method != "GET" else None
    return send(place, method, place.url(path), who, body)


def send(
    place: Place, method: str, url: str, who: str, body: dict[str, Any] | None
) -> httpx.Response:
    headers = {"accept": "application/json"}
    if who != "visitor":
        headers["authorization"] = f"Bearer {who}"

    async def sent() -> httpx.Response:
        transport = httpx.ASGITransport(place.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.request(method, url, headers=headers, json=body)

    return asyncio.run(sent())


def ask_the_contracts(
    place: Place, function: str, args: list[str], *, key: str, session: str
) -> httpx.Response:
    """A question of the contracts, signed with the key of one kind of visitor."""
    signer = place.keys()[key].identity
    creator = {"mspid": signer.mspid, "certificate_pem": signer.certificate_pem.decode()}
    wish = {"creator": creator, "function": function, "args": args}
    prepared = send(place, "POST", "/v1/proposals", "visitor", wish)
    assert prepared.status_code == 200, prepared.text
    proposal = prepared.json()["to_sign"]
    signature = base64.b64encode(signer.sign(base64.b64decode(proposal))).decode()
    body = {"proposal": proposal, "signature": signature}
    return send(place, "POST", QUESTIONS, session, body)


def door_is_shut(answer: httpx.Response) -> bool:
    kind = answer.headers.get("content-type", "")
    slug = answer.json()["type"].rpartition("/")[2] if "problem+json" in kind else ""
    return slug in SHUT


def names_one(place: Place, answer: httpx.Response) -> bool:
    """Whether something of ONE is told; a problem repeats only what was asked."""
    one = place.one
    names = (one.idgrid, one.meter_id, one.res_id, place.battery_id)
    return answer.is_success and any(name in answer.text for name in names)


@pytest.mark.parametrize(("method", "path"), sorted(documented()))
def test_a_route_answers_each_kind_of_visitor_as_the_table_says(
    place: Place, method: str, path: str
) -> None:
    if path == STREAM:
        return
    for who, expected in zip(WHO, documented()[method, path], strict=True):
        answer = ask(place, method, path, who)
        assert answer.status_code < 500, answer.text
        if expected == NO:
            assert door_is_shut(answer) or answer.status_code == 404, (who, answer.text)
            continue
        assert not door_is_shut(answer), (who, answer.text)
        if expected == UNNAMED:
            assert not names_one(place, answer), (who, answer.text)


@pytest.mark.parametrize("session", ["visitor", "neighbour", "manager"])
def test_a_neighbours_key_learns_nothing_of_a_household_from_any_question(
    place: Place, session: str
) -> None:
    """The contracts judge the key that signed; whose session sends it changes nothing."""
    for function, args in place.questions().items():
        for key in ("neighbour", "visitor"):
            answer = ask_the_contracts(place, function, args, key=key, session=session)
            assert answer.status_code < 500, (function, answer.text)
            assert not names_one(place, answer), (function, key, answer.text)


def test_the_same_questions_tell_the_household_itself(place: Place) -> None:
    """Else the neighbour would have been refused for a question nobody can ask."""
    for function, args in place.questions().items():
        answer = ask_the_contracts(place, function, args, key="owner", session="visitor")
        assert names_one(place, answer), (function, answer.text)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/listings/{listing_id}/result",
        "/v1/marketplace/posts",
        "/v1/marketplace/posts/{post_id}",
        "/v1/transactions/{tx_id}",
        "/explorer/orders/{listing_id}",
        "/explorer/transactions/{tx_id}",
    ],
)
def test_what_strangers_get_without_names_has_them_for_auditors(place: Place, path: str) -> None:
    assert names_one(place, ask(place, "GET", path, "auditor"))
    assert names_one(place, ask(place, "GET", path, "owner"))
    assert not names_one(place, ask(place, "GET", path, "visitor"))


def test_a_battery_is_read_by_its_owner_and_a_granted_oracle_and_looks_unknown_to_others(
    place: Place,
) -> None:
    path = "/battery-soc/{battery_id}"
    for who in ("owner", "oracle"):
        assert ask(place, "GET", path, who).json()["value"] == STORED_WH / 1000
    for who, status in (("visitor", 401), ("neighbour", 403), ("manager", 404)):
        refused = ask(place, "GET", path, who)
        assert refused.status_code == status, (who, refused.text)
        assert "4.2" not in refused.text


def test_what_a_neighbours_device_tells_is_not_shown_under_a_source_of_its_name(
    place: Place,
) -> None:
    path = place.url("/battery-soc/{battery_id}").replace(place.battery_id, GIVEN_AWAY)
    for who in WHO:
        refused = send(place, "GET", path, who, None)
        assert refused.status_code in (401, 403, 404), (who, refused.text)
    page = ask(place, "GET", "/production", "owner")
    assert GIVEN_AWAY in page.text, "its source still"
    shown = [f'data-charge="{told_wh}"' in page.text for told_wh in (STORED_WH, GIVEN_AWAY_WH)]
    assert shown == [True, False]

"""Every question of every contract, asked by who may not know (row E012): docs/access.md says.

ONE has traded, fallen short, disputed, posted, dealt, joined a group and told the oracles what
it used. Another household without any part in it asks, a household of another member that claims
to be ONE, and a certificate without a role: refused, or answered with nothing of ONE.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chaincode.energy.contracts import CONTRACTS
from chaincode.energy.idgrid import with_check_character
from chaincode.shim import ContractError
from chaincode.shim.testing import TestClient
from tests.unit.energy.community import (
    COOP,
    DSO,
    LISTING,
    Community,
    Household,
    hour_of,
    milliseconds,
)
from tests.unit.energy.oracle.panel import agree, name_panel

DOCUMENT = Path(__file__).parents[3] / "docs" / "access.md"
ROW = re.compile(r"^\| `(\w+:\w+)` \| (\w+) \| (\w+) \| (\w+) \| (\w+) \|$", re.MULTILINE)
ALL, NO = "all", "no"
WHO = ("visitor", "neighbour", "owner", "staff")
SILENT, LATER, SEALED, DEALT = (f"2026-01-15T{hour}" for hour in ("11", "13", "14", "15"))
VPP = "vpp:one"
EMAIL = b"one@example.org"
HASH = "ab" * 32
PRICE = 54_000


def documented() -> dict[str, dict[str, str]]:
    """Question → grade by who asks."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return {name: dict(zip(WHO, grades, strict=True)) for name, *grades in ROW.findall(text)}


@dataclass
class Scene:
    """What happened, and who asks about it."""

    community: Community
    one: Household
    trader: Household
    neighbour: Household
    asked: dict[str, list[Any]]
    """Question → arguments about ONE."""
    transient: dict[str, bytes]

    def askers(self, who: str) -> list[TestClient]:
        ledger, one = self.community.ledger, self.one
        claims = {"role": "prosumer", "idgrid": one.idgrid}
        staff = ("auditor", "utility", "notifier")
        return {
            "visitor": [
                ledger.client(COOP, "nobody"),
                ledger.client(DSO, "impostor", attributes=claims),
            ],
            "neighbour": [self.neighbour.client],
            "owner": [one.client],
            "staff": [
                self.community.manager,
                self.community.oracle,
                *(ledger.client(COOP, role, attributes={"role": role}) for role in staff),
            ],
        }[who]

    def names_one(self, answer: object) -> bool:
        one, text = self.one, json.dumps(answer)
        names = (one.idgrid, one.meter_id, one.res_id, VPP, EMAIL.decode())
        return any(name in text for name in names)


@pytest.fixture(scope="module")
def scene() -> Scene:
    community = Community.found(start="2026-01-15T08:00:00Z")
    manager, name = community.manager, with_check_character("VAL-0000")
    manager.submit("persons:set_index_key", transient={"index_key": b"k" * 32})
    private = {"name": b"One", "email": EMAIL, "salt": b"0123456789abcdef"}
    person = manager.submit("persons:record", name, transient=private)
    one, trader, neighbour, _ = (
        community.join(),
        community.join(role="consumer"),
        community.join(),
        community.join(),
    )
    manager.submit("membership:set_personal_data_hash", name, person["personal_data_hash"])
    asked = {
        "oracle:get_request": [import_told(community, one)],
        **planned(community, one),
        **dealt(community, one, trader),
        **traded(community, one, trader),
        **ended(community, one),
    }
    return Scene(community, one, trader, neighbour, asked, {"email": EMAIL})


def import_told(community: Community, one: Household) -> str:
    """What ONE imported in the hour before, as the oracles agreed; the request's id."""
    oracles = name_panel(community)
    told = one.client.submit("oracle:request", "smartmeter", one.meter_id)
    agree(oracles, told["request_id"], 4_200)
    return str(told["request_id"])


def planned(community: Community, one: Household) -> dict[str, list[Any]]:
    """A group, an agreed sharing key, what ONE will order, an anchor."""
    one.client.submit("groups:found", VPP, "Hill street")
    one.client.submit("groups:join", VPP, 5)
    neighbour = community.households[2]
    parts = {one.idgrid: 600_000, neighbour.idgrid: 400_000}
    start_ms = milliseconds(hour_of(LISTING))
    key = {"kind": "static", "effective_from_ms": start_ms, "parts": parts}
    community.manager.submit("sharing:agree", key)
    bid = {"side": "bid", "energy_wh": 500, "price_utoken_per_kwh": PRICE}
    until = {"until_ms": start_ms + 24 * 3_600_000}
    one.client.submit("standing:place", bid | until)
    profile = [bid] + [bid | {"energy_wh": 0}] * 23
    one.client.submit("standing:submit_profile", LATER, profile)
    community.oracle.submit("anchors:record", "raw", 1, 40, HASH)
    community.manager.submit("oracle:publish_price", "retail", 102_000, start_ms, 24 * 3_600_000)
    return {
        "standing:get_orders": [one.idgrid],
        "standing:due": [LATER],
        "standing:due_profiles": [LATER],
        "standing:forecast": [LATER],
        "standing:get_revisions": [one.idgrid, LATER],
        "anchors:get": [DSO, "raw"],
        "anchors:page": [DSO, "raw"],
        "oracle:price_in_force": ["retail", start_ms + 1],
        "oracle:list_prices": ["retail", 0, start_ms + 1],
        "sharing:key_at": [start_ms],
        "groups:get_group": [VPP],
        **{key: [one.idgrid] for key in ("persons:get", "persons:address")},
        "access:list_grants": [one.idgrid],
        "registry:get_participant": [one.idgrid],
        "registry:get_res": [one.res_id],
        **{
            key: [one.meter_id]
            for key in ("registry:get_meter", "devices:get", "oracle:last_reading")
        },
        "access:meter_series": [one.meter_id, start_ms - 1, start_ms + 3_600_000],
        "access:totals": [start_ms, start_ms + 3_600_000],
        "registry:complete_idgrid": ["VAL-0042"],
        "tokens:account": [one.idgrid],
        "oracle:check_readings": [[one.reading(start_ms)]],
    }


def dealt(community: Community, one: Household, trader: Household) -> dict[str, list[Any]]:
    """ONE's offer on the marketplace is bought; in a sealed listing it has an order."""
    offer = (DEALT, one.res_id, 500, 20_000, "unchecked")
    post = one.client.submit("marketplace:post_offer", *offer)
    trader.client.submit("marketplace:buy", post["post_id"])
    community.open(LATER, opens_at_ms=0)
    community.open(SEALED, opens_at_ms=0, is_sealed=True)
    one.client.submit("sealed:commit", SEALED, HASH)
    return {
        "marketplace:get_post": [post["post_id"]],
        "marketplace:list_posts": [DEALT],
        "sealed:hidden": [SEALED],
    }


def traded(community: Community, one: Household, trader: Household) -> dict[str, list[Any]]:
    """ONE sells 3,000 Wh, delivers 1,000, disputes; in the next hour its meter is silent."""
    first = {"regulated_price_utoken_per_kwh": 30_000, "priority_consumers": [one.idgrid]}
    for listing_id, terms in ((LISTING, first), (SILENT, {})):
        community.open(listing_id, opens_at_ms=0, **terms)
        community.offer(one, 3_000, 40_000, listing_id)
        community.bid(trader, 3_000, 60_000, listing_id)
    community.close_and_clear(LISTING)
    community.report(hour_of(LISTING))
    community.close_and_clear(SILENT)
    one.export_wh += 1_000
    trader.import_wh += 3_000
    community.report(hour_of(SILENT))
    community.households.remove(one)
    community.report(hour_of(SILENT) + timedelta(hours=1))
    community.households.insert(0, one)
    community.ledger.at("2026-01-17T00:00:00Z")
    for listing_id in (LISTING, SILENT):
        community.settle(listing_id)
    community.scheduler.submit("origin:issue", LISTING, 0)
    community.scheduler.submit("sharing:share", LISTING)
    [certificate] = trader.client.evaluate("origin:held", trader.idgrid)
    hour = {key: [LISTING] for key in HOUR_QUESTIONS} | {"market:get_settlement": [SILENT]}
    own = {key: [LISTING, one.idgrid] for key in OWN_QUESTIONS}
    return (
        hour
        | own
        | {
            "auction:steps": [SEALED],
            "market:list_listings": [LISTING, SILENT],
            "groups:get_split": [VPP, SILENT],
            "origin:token": [f"{LISTING}.{one.idgrid}"],
            "origin:trace": [certificate["certificate_id"]],
            "origin:held": [one.idgrid],
            **{
                key: [one.idgrid] for key in ("settlement:reputation", "settlement:non_deliveries")
            },
        }
    )


HOUR_QUESTIONS = (
    *("market:get_listing", "market:get_book", "market:get_result", "sharing:result"),
    *("settlement:get_disputes", "listings:get_stop"),
)
OWN_QUESTIONS = (
    *("market:get_orders", "market:get_line", "orders:kWhoffer", "sharing:of_member"),
    *("auction:get_pending", "auction:get_matches", "auction:get_trades"),
    "settlement:get_corrections",
)


def ended(community: Community, one: Household) -> dict[str, list[Any]]:
    """A dispute upheld, a correction, a month with its statements, a listing that is stopped."""
    one.client.submit("settlement:dispute", LISTING, "wrong")
    community.dso.submit("settlement:substitute", LISTING, one.idgrid, 0, 900, "read on site")
    community.dso.submit("settlement:correct", LISTING)
    community.dso.submit("settlement:decide_dispute", LISTING, one.idgrid, "UPHELD", "")
    for listing_id in (LATER, SEALED):
        community.manager.submit("listings:stop", listing_id, "a storm")
    community.ledger.at("2026-02-01T00:00:00Z")
    while community.scheduler.submit("statements:issue", "2026-01")["state"] != "ISSUED":
        pass
    month = ("statements:preview", "statements:get")
    return {
        "statements:run": ["2026-01"],
        "listings:get_stop": [LATER],
        **{key: [one.idgrid, "2026-01"] for key in month},
    }


WITHOUT_ARGUMENTS = (
    *("tokens:audit", "tokens:crowded", "devices:carried_meters", "sharing:keys"),
    *("oracle:get_panel", "oracle:open_requests", "listings:get_defaults"),
    *("persons:find", "persons:holder"),
)


def answers(scene: Scene, name: str, who: str) -> Iterator[tuple[bool, object]]:
    """Per asker: whether there is an answer, and the answer or the refusal."""
    for client in scene.askers(who):
        arguments = scene.asked.get(name, [])
        transient = scene.transient if name.startswith("persons:") else None
        try:
            yield True, client.evaluate(name, *arguments, transient=transient)
        except ContractError as refusal:
            if refusal.status not in (403, 404) and name not in NOT_ANSWERED:
                raise
            yield False, refusal


def test_every_question_of_every_contract_is_in_the_table(scene: Scene) -> None:
    questions = {
        f"{contract.name}:{name}"
        for contract in CONTRACTS
        for name in contract().get_evaluate_transactions()
    }
    assert questions == set(documented()) == set(scene.asked) | set(WITHOUT_ARGUMENTS)


@pytest.mark.parametrize("name", sorted(documented()))
def test_a_question_is_answered_as_the_table_says(scene: Scene, name: str) -> None:
    for who, expected in documented()[name].items():
        found = list(answers(scene, name, who))
        answered = [answer for is_answer, answer in found if is_answer]
        if expected == NO:
            assert answered == [], (who, answered)
        elif name not in NOT_ANSWERED:
            assert answered, (who, found)
            assert who == "staff" or len(answered) == len(found), (who, found)
        if who in ("visitor", "neighbour"):
            assert not any(map(scene.names_one, answered)), (who, answered)


def test_one_hour_in_which_a_household_fell_short_is_told_to_no_stranger(scene: Scene) -> None:
    question = ("settlement:non_deliveries", scene.one.idgrid, LISTING)
    (whole,) = scene.one.client.evaluate(*question)
    assert scene.names_one(whole)
    assert scene.trader.client.evaluate(*question) == [whole], "it bought all of it"
    for client in scene.askers("visitor") + scene.askers("neighbour"):
        with pytest.raises(ContractError) as refusal:
            client.evaluate(*question)
        assert refusal.value.status == 403


def test_what_is_refused_or_unnamed_is_about_one_household(scene: Scene) -> None:
    """Else a question nobody can ask in vain would be shown to be safe."""
    for name, grades in documented().items():
        if grades["neighbour"] != ALL and name not in ABOUT_NOBODY:
            told = [
                scene.names_one(answer)
                for who in ("owner", "staff")
                for is_answer, answer in answers(scene, name, who)
                if is_answer
            ]
            assert any(told), name


NOT_ANSWERED = {"groups:get_split"}
"""ONE's group has traded nothing; `groups/test_groups.py` has the answer."""
ABOUT_NOBODY = {
    *("access:totals", "tokens:audit", "tokens:crowded", "auction:steps", "oracle:open_requests"),
    *("auction:get_pending", "origin:held", "groups:get_split", "oracle:check_readings"),
}
"""Totals, work that is done, and what ONE has none of: asked all the same."""

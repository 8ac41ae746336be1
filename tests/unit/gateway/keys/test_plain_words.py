"""Whatever a page has signed is shown in plain words: every form's function and arguments."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page

from gateway.web.function_texts import FUNCTION_TITLES
from gateway.web.languages import language
from gateway.web.templating import FOLDER
from tests.e2e.browser.chromium import chromium
from tests.e2e.browser.village import village

KEY, POINT, HASH = "ab" * 32, "04" + "cd" * 64, "ef" * 32
HOUR, HOME, METER = "2026-01-15T10", "VAL-0001-0", "meter-1"
POST, LOT = f"{HOUR}.3f1c0a5be2d94c77", [HOUR, "1500", "90000"]
STANDING = {"side": "bid", "energy_wh": 500, "price_utoken_per_kwh": 60_000, "until_ms": 1}
LIMITS = {
    "bid_price_max_utoken_per_kwh": 90_000,
    "offer_price_min_utoken_per_kwh": None,
    "hour_wh_max": 500,
    "day_wh_max": 2_000,
    "until_ms": 1_768_471_200_000,
}
KEY_OF_PARTS = {
    "kind": "static",
    "slot_minutes": 60,
    "effective_from_ms": 1_768_471_200_000,
    "parts": {HOME: 333_333, "VAL-0002-X": 666_667},
}
TERMS = {
    "preset": "hourly",
    "rule": "crossing",
    "floor_utoken_per_kwh": 40_000,
    "cap_utoken_per_kwh": 200_000,
    "max_order_wh": 10_000,
}
SIGNED: dict[str, list[str]] = {
    "access:grant": ["market", METER],
    "access:revoke": ["market", METER],
    "auction:approve_order": [HOUR, HOME, "order-1"],
    "devices:accept_transfer": [METER, ""],
    "devices:offer_transfer": [METER, ""],
    "devices:register": [METER, "battery", HOME, POINT, "pv-1", "B"],
    "devices:replace_key": [METER, POINT, "C"],
    "listings:set_defaults": [json.dumps(TERMS)],
    "listings:AuthorizeOfferCom": [HOUR],
    "listings:stop": [HOUR, "the line is down"],
    "market:place_bid": [HOUR, "1500", "54000"],
    "market:place_offer": [HOUR, "pv-1", "1500", "54000"],
    "marketplace:accept": [POST, *LOT],
    "marketplace:buy": [POST, *LOT],
    "marketplace:confirm": [POST, "1500"],
    "marketplace:decline": [POST],
    "marketplace:delete": [POST],
    "marketplace:post_offer": [HOUR, "pv-1", "1500", "90000"],
    "marketplace:post_request": [HOUR, "1500", "90000"],
    "marketplace:release": [POST],
    "marketplace:request_to_sell": [POST, "pv-1", *LOT],
    "marketplace:reserve": [POST, *LOT],
    "membership:consent": [HASH],
    "membership:leave": [HOME, "moved away"],
    "membership:reinstate": [HOME],
    "membership:set_contract": [HOME, json.dumps({"capacity_w": 4_500})],
    "membership:suspend": [HOME, "does not answer"],
    "membership:withdraw_consent": [],
    "oracle:publish_price": ["feed_in", "54000", "0", "2592000000"],
    "orders:cancel": [HOUR, "order-1"],
    "orders:replace": [HOUR, "order-1", "1500", "54000"],
    "registry:approve_meter": [METER],
    "registry:approve_participant": [HOME],
    "registry:approve_res": ["pv-1"],
    "registry:authorise_res": ["pv-1"],
    "registry:register_meter": [METER, HOME, POINT, ""],
    "registry:register_res": ["pv-1", HOME, "solar", "4500"],
    "registry:withdraw_res": ["pv-1"],
    "sharing:agree": [json.dumps(KEY_OF_PARTS)],
    "standing:place": [json.dumps(STANDING)],
    "standing:withdraw": ["standing-1"],
    "statements:issue": ["2026-01"],
    "tokens:deposit": [HOME, "1000000", "transfer 1"],
    "tokens:redeem": ["1000000", "transfer 2"],
    "persons:record": [HOME],
    "persons:set_index_key": [],
    "registry:register_participant": [HOME, "consumer", HASH, "household"],
    "signers:add": [KEY, "device"],
    "signers:add_agent": [KEY, json.dumps(LIMITS)],
    "signers:enrol": [HOME, KEY],
    "signers:recover": [HOME, KEY],
    "signers:revoke": [HOME, KEY],
}
"""A call of every function that a page signs, as its form or script makes it."""
FUNCTION = re.compile(r"[a-z]+:\w+")
FORM = re.compile(r'<form[^>]*? data-sign="([a-z]+:\w+)"(.*?)</form>', re.DOTALL)
ACT = re.compile(r'\bact\("([a-z]+:\w+)", .*?, \[(.*?)\]\)')
MARKETPLACE = re.compile(r'\baction\("(\w+)"')
"""A macro that puts the contract's name before the function."""


def texts_of(pattern: str, folder: str) -> Iterator[tuple[Path, str]]:
    for path in sorted((FOLDER / folder).rglob(pattern)):
        if "vendor" not in path.parts:
            yield path, path.read_text(encoding="utf-8")


def functions_of_templates() -> dict[str, set[int]]:
    """By function: how many arguments its forms have, the most that a form can send."""
    found: dict[str, set[int]] = {}
    for _, text in texts_of("*.html", "templates"):
        for name, body in FORM.findall(text):
            places = set(re.findall(r'data-(?:argument|object)="(\d)"', body))
            found.setdefault(name, set()).add(len(places))
        for name, listed in ACT.findall(text):
            found.setdefault(name, set()).add(len(listed.split(",")))
        for function in MARKETPLACE.findall(text):
            found.setdefault(f"marketplace:{function}", set())
    return found


def functions_of_scripts() -> set[str]:
    """Functions named in scripts as what they sign, not those they only ask for."""
    found: set[str] = set()
    for path, text in texts_of("*.js", "static"):
        if path.name not in ("plain_words.js", "sign.js"):
            found |= set(re.findall(r'\bsign\(\s*"([a-z]+:\w+)"', text))
            found |= set(re.findall(r'"(signers:\w+)"', text))
    return found


@pytest.fixture(scope="module")
def scene() -> Iterator[Page]:
    with village() as it, chromium() as browser:
        page = browser.new_page()
        page.goto(it.url.replace("127.0.0.1", "localhost") + it.sign_in("", is_manager=True))
        page.goto(f"{it.url.replace('127.0.0.1', 'localhost')}/console/prices")
        yield page


def shown(
    scene: Page,
    args: list[str],
    private: tuple[str, ...] = (),
    *,
    locale: str = "",
    zone: str = "",
) -> dict:
    """What the dialog of a page would show; with the words of that very page.

    `locale`, `zone`: how numbers and times are written, if not as that page does.
    """
    return scene.evaluate(
        """async ([args, transient, locale, zone]) => {
          const { plainWords } = await import("/static/keys/plain_words.js");
          const { pageFacts } = await import("/static/keys/sign.js");
          const facts = pageFacts();
          facts.locale = locale || facts.locale;
          facts.timeZone = zone || facts.timeZone;
          return plainWords({ args, transient, privately: {} }, facts);
        }""",
        [args, list(private), locale, zone],
    )


def test_every_function_that_a_page_signs_is_in_the_table_of_this_test() -> None:
    signed = functions_of_templates().keys() | functions_of_scripts()
    assert signed == set(SIGNED)
    assert set(FUNCTION_TITLES) == signed


def test_every_form_s_arguments_are_those_of_the_table() -> None:
    forms = functions_of_templates()
    assert {name for name, counts in forms.items() if counts} > {
        "sharing:agree",
        "devices:register",
    }
    odd = {
        name: (counts, len(SIGNED[name]))
        for name, counts in forms.items()
        if counts and max(counts) != len(SIGNED[name])
    }
    assert odd == {}


@pytest.mark.row("E132")
@pytest.mark.parametrize("name", sorted(SIGNED))
def test_what_a_page_signs_is_told_in_plain_words(scene, name) -> None:
    words = shown(scene, [name, *SIGNED[name]])
    assert words["isKnown"], words
    assert words["title"] == FUNCTION_TITLES[name]
    for line in words["lines"]:
        assert "{" not in line["value"]
        assert line["label"] != line["name"] or re.fullmatch(r"[A-Z0-9-]+", line["name"])


def values(words: dict) -> dict[str, str]:
    return {line["name"]: line["value"] for line in words["lines"]}


def test_a_sharing_key_is_told_by_kind_slot_time_and_every_household_s_part(scene) -> None:
    said = values(shown(scene, ["sharing:agree", json.dumps(KEY_OF_PARTS)]))
    assert said == {
        "kind": "fixed parts",
        "slot": "60 min",
        "from": "15 Jan 2026, 07:00",
        HOME: "33.3333 %",
        "VAL-0002-X": "66.6667 %",
    }
    ranks = {**KEY_OF_PARTS, "kind": "priority", "ranks": {HOME: 2}}
    del ranks["parts"]
    said = values(shown(scene, ["sharing:agree", json.dumps(ranks)]))
    assert (said["kind"], said[HOME]) == ("by rank", "2")


@pytest.mark.parametrize(
    "change",
    [
        {"parts": {HOME: None}},
        {"parts": {"price": 1_000_000}},
        {"ranks": {HOME: 1}},
        {"kind": "dynamic"},
        {"kind": "by hand"},
        {"effective_from_ms": None},
        {"surprise": 1},
    ],
)
def test_a_sharing_key_that_cannot_be_read_is_shown_as_it_is(scene, change) -> None:
    text = json.dumps(KEY_OF_PARTS | change)
    words = shown(scene, ["sharing:agree", text])
    assert (words["isKnown"], values(words)) == (False, {"1": text})


TAKING = ("accept", "buy", "request_to_sell", "reserve")
LOT_IN_WORDS = {
    "": {"hour": "15 Jan 2026, 07:00–08:00", "energy": "1.5 kWh", "lot": "0.09"},
    "es": {"hour": "15 ene 2026, 7:00–08:00", "energy": "1,5 kWh", "lot": "0,09"},
    "pt": {"hour": "15 de jan. de 2026, 07:00–08:00", "energy": "1,5 kWh", "lot": "0,09"},
}


@pytest.mark.parametrize("locale", LOT_IN_WORDS)
@pytest.mark.parametrize("function", TAKING)
def test_who_takes_a_post_is_told_its_hour_energy_and_price(scene, function, locale) -> None:
    name = f"marketplace:{function}"
    words = shown(scene, [name, *SIGNED[name]], locale=locale)
    source = {"source": "pv-1"} if function == "request_to_sell" else {}
    told = source | LOT_IN_WORDS[locale] | {"post": POST}
    assert list(values(words).items()) == list(told.items()), "the id comes last"


@pytest.mark.parametrize("function", TAKING)
def test_who_takes_a_post_by_its_id_alone_is_warned(scene, function) -> None:
    """A gateway that leaves the terms out could put a dearer post under the button."""
    name = f"marketplace:{function}"
    args = [one for one in SIGNED[name] if one not in LOT]
    words = shown(scene, [name, *args])
    assert (words["isKnown"], words["title"]) == (False, f"Sign {name}")
    assert list(values(words).values()) == args


@pytest.mark.parametrize(
    "terms", [["noon", "1500", "90000"], [HOUR, "", "90000"], [*LOT, "1"], [HOUR, "1500", "-1"]]
)
def test_terms_that_cannot_be_read_are_shown_as_they_are(scene, terms) -> None:
    words = shown(scene, ["marketplace:buy", POST, *terms])
    assert (words["isKnown"], list(values(words).values())) == (False, [POST, *terms])


def test_a_price_is_told_with_its_tariff_and_from_when(scene) -> None:
    said = values(shown(scene, ["oracle:publish_price", *SIGNED["oracle:publish_price"]]))
    assert said == {
        "tariff": "feed-in tariff",
        "price": "0.054 / kWh",
        "from": "at once",
        "days": "30",
    }
    later = ["retail", "54000", "1768471200000", "86400000"]
    said = values(shown(scene, ["oracle:publish_price", *later]))
    assert (said["tariff"], said["from"]) == ("retail price", "15 Jan 2026, 07:00")


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-07-02", "00:00, 02:00"), ("2026-01-02", "23:00, 01:00")]
)
def test_the_hours_of_an_order_are_those_of_its_days_clocks(scene, day, hours) -> None:
    until_ms = int(datetime.fromisoformat(f"{day}T06:00+00:00").timestamp() * 1_000)
    order = STANDING | {"until_ms": until_ms, "hours_utc": [22, 0]}
    words = shown(scene, ["standing:place", json.dumps(order)], zone="Europe/Madrid")
    assert values(words)["hours"] == hours


def test_the_titles_are_there_in_every_language() -> None:
    for code in ("es", "pt"):
        words = language(code)
        assert [one for one in FUNCTION_TITLES.values() if words.text(one) == one] == []


@pytest.mark.parametrize(
    ("zone", "text", "instant"),
    [
        ("", "2026-01-15T07:00", "2026-01-15T10:00:00.000Z"),
        ("", "2026-01-15", "2026-01-15T03:00:00.000Z"),
        ("Europe/Madrid", "2026-07-01T12:00", "2026-07-01T10:00:00.000Z"),
        ("Europe/Madrid", "2026-03-29T02:30", "2026-03-29T01:30:00.000Z"),
        ("Europe/Madrid", "2026-10-25T02:30", "2026-10-25T00:30:00.000Z"),
        ("Europe/Madrid", "2026-10-25T03:30", "2026-10-25T02:30:00.000Z"),
        ("America/Santiago", "2026-09-06", "2026-09-06T04:00:00.000Z"),
        ("Asia/Kolkata", "2026-01-01T00:00", "2025-12-31T18:30:00.000Z"),
    ],
    ids=["fixed", "day", "summer", "left out", "twice", "after", "no midnight", "half an hour"],
)
def test_local_times_are_entered_as_the_community_s_clocks_show_them(
    scene, zone, text, instant
) -> None:
    found = scene.evaluate(
        """async ([timeZone, text]) => {
          const { localInstant } = await import("/static/keys/community_clock.js");
          return new Date(localInstant(text, { timeZone, utcOffsetMinutes: -180 })).toISOString();
        }""",
        [zone, text],
    )
    assert found == instant

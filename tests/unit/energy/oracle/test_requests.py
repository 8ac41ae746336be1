"""Oracle requests: an id from question to value, k of n, late and second answers refused."""

import json

import pytest

from chaincode.energy.oracle.requests import ATTEMPTS_MAX, REQUEST_LIFETIME_MS
from chaincode.shim.testing import TestClient
from tests.unit.energy.community import COOP, DSO, UTILITY, Community, refuses
from tests.unit.energy.oracle.panel import (
    ANSWER,
    EXPIRE,
    REQUEST,
    RETRY,
    ask,
    name_panel,
    pass_time,
    with_battery,
)

Oracles = dict[str, TestClient]
METER = "meter-0"
BATTERY = "battery-0"


@pytest.fixture
def community() -> Community:
    founded = Community.found()
    with_battery(founded, founded.join())
    founded.join()
    return founded


@pytest.fixture
def oracles(community: Community) -> Oracles:
    return name_panel(community)


def last_event(community: Community) -> tuple[str, dict[str, object]]:
    event = community.ledger.events[-1]
    return event.name, json.loads(event.payload)


def test_question_and_value_share_one_id(community: Community, oracles: Oracles) -> None:
    asked = ask(community, community.households[0], "smartmeter", METER)
    name, sent = last_event(community)
    assert (name, sent["request_id"]) == ("RequestSent", asked["request_id"])
    oracles[COOP].submit(ANSWER, asked["request_id"], 750)
    assert last_event(community)[0] == "AnswerRecorded"
    oracles[DSO].submit(ANSWER, asked["request_id"], 750)
    name, decided = last_event(community)
    assert (name, decided["request_id"], decided["value"]) == (
        "Fulfilled",
        asked["request_id"],
        750,
    )
    found = community.manager.evaluate("oracle:get_request", asked["request_id"])
    assert (found["state"], found["value"]) == ("FULFILLED", 750)


def test_a_late_and_a_second_answer_are_refused(community: Community, oracles: Oracles) -> None:
    home = community.households[0]
    asked = ask(community, home, "smartmeter", METER)["request_id"]
    oracles[COOP].submit(ANSWER, asked, 750)
    refuses(community, "ALREADY_ANSWERED", oracles[COOP], ANSWER, asked, 750)
    oracles[DSO].submit(ANSWER, asked, 750)
    for oracle in oracles.values():
        refuses(community, "ALREADY_FULFILLED", oracle, ANSWER, asked, 9)
    late = ask(community, home, "smartmeter", METER)["request_id"]
    pass_time(community, REQUEST_LIFETIME_MS)
    refuses(community, "REQUEST_EXPIRED", oracles[COOP], ANSWER, late, 750)


@pytest.mark.row("E066")
@pytest.mark.parametrize("liar", [COOP, DSO, UTILITY])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_lying_oracle_of_three_changes_nothing(
    community: Community, oracles: Oracles, liar: str, place: int
) -> None:
    asked = ask(community, community.households[0], "battery_soc", BATTERY)["request_id"]
    honest = [member for member in oracles if member != liar]
    order = [*honest[:place], liar, *honest[place:]]
    for member in order:
        value = 10**9 if member == liar else 6_000
        if member == order[2] and place == 2:
            refuses(community, "ALREADY_FULFILLED", oracles[member], ANSWER, asked, value)
        else:
            oracles[member].submit(ANSWER, asked, value)
    name, decided = last_event(community)
    assert (name, decided["value"]) == ("Fulfilled", 6_000)
    assert decided["dissenting"] == ([] if place == 2 else [liar])
    charge = json.loads(community.ledger.state(f"charge~{BATTERY}") or b"")
    assert charge["stored_wh"] == 6_000


def test_who_asks_cannot_give_a_liar_room(community: Community, oracles: Oracles) -> None:
    home = community.households[0]
    for client, kind, subject, most in (
        (community.scheduler, "price", "retail", 0),
        (home.client, "battery_soc", BATTERY, 500),
        (home.client, "smartmeter", METER, 50),
    ):
        asked = client.submit(REQUEST, kind, subject, 0, most)["request_id"]
        refuses(community, "INVALID_ARGUMENT", client, REQUEST, kind, subject, 0, most + 1)
        oracles[COOP].submit(ANSWER, asked, 60_000)
        oracles[UTILITY].submit(ANSWER, asked, 60_000 - most - 1)
        decided = oracles[DSO].submit(ANSWER, asked, 60_000)
        assert (decided["state"], decided["value"]) == ("FULFILLED", 60_000)


def test_answers_of_one_block_do_not_miss_each_other(
    community: Community, oracles: Oracles
) -> None:
    asked = ask(community, community.households[0], "smartmeter", METER)["request_id"]
    together = [oracles[member].simulate(ANSWER, asked, 5) for member in (COOP, DSO)]
    assert community.ledger.commit(together) == ["VALID", "MVCC_READ_CONFLICT"]
    oracles[DSO].submit(ANSWER, asked, 5)
    assert last_event(community)[0] == "Fulfilled"


def test_only_oracles_of_the_panel_answer(community: Community, oracles: Oracles) -> None:
    asked = ask(community, community.households[0], "smartmeter", METER)["request_id"]
    stranger = community.ledger.client("OtherMSP", "oracle", attributes={"role": "oracle"})
    refuses(community, "NOT_ON_PANEL", stranger, ANSWER, asked, 5)
    refuses(community, "ROLE_NOT_ALLOWED", community.scheduler, ANSWER, asked, 5)
    refuses(community, "INVALID_ARGUMENT", oracles[COOP], ANSWER, asked, -1)
    refuses(community, "UNKNOWN_REQUEST_ID", oracles[COOP], ANSWER, "nothing", 5)


def test_who_may_ask_what(community: Community, oracles: Oracles) -> None:
    mine, theirs = community.households
    refuses(community, "NOT_YOURS", theirs.client, REQUEST, "battery_soc", BATTERY)
    refuses(community, "NOT_YOURS", mine.client, REQUEST, "smartmeter", theirs.meter_id)
    refuses(community, "UNKNOWN_RES", mine.client, REQUEST, "battery_soc", METER)
    refuses(community, "ROLE_NOT_ALLOWED", mine.client, REQUEST, "price", "retail")
    refuses(community, "UNKNOWN_METER", community.scheduler, REQUEST, "smartmeter", "none")
    refuses(community, "INVALID_ARGUMENT", mine.client, REQUEST, "weather", METER)
    future = int(community.ledger.now.timestamp() * 1000) + 1
    refuses(community, "INVALID_ARGUMENT", mine.client, REQUEST, "smartmeter", METER, future)
    for kind, subject in (("battery_soc", BATTERY), ("smartmeter", METER)):
        assert community.scheduler.submit(REQUEST, kind, subject)["state"] == "SENT"


def test_staff_asks_only_what_the_owner_lets_the_market_read(
    community: Community, oracles: Oracles
) -> None:
    mine, _ = community.households
    mine.client.submit("access:revoke", "market", METER)
    for kind, subject in (("battery_soc", BATTERY), ("smartmeter", METER)):
        refuses(community, "NO_DATA_ACCESS", community.scheduler, REQUEST, kind, subject)
        assert ask(community, mine, kind, subject)["state"] == "SENT"


def test_without_a_panel_nothing_can_be_asked(community: Community) -> None:
    home = community.households[0]
    refuses(community, "NO_PANEL", home.client, REQUEST, "smartmeter", METER)
    name = "oracle:name_panel"
    refuses(community, "INVALID_ARGUMENT", community.manager, name, [COOP], 1)
    refuses(community, "INVALID_ARGUMENT", community.manager, name, [COOP, COOP, DSO], 2)
    refuses(community, "INVALID_ARGUMENT", community.manager, name, [COOP], 1, "careless")
    refuses(community, "ROLE_NOT_ALLOWED", community.oracle, name, [COOP, DSO, UTILITY], 2)
    community.manager.submit(name, [COOP], 1, "development")
    assert community.manager.evaluate("oracle:get_panel")["is_development"] is True


def test_a_silent_panel_is_asked_again_and_then_given_up(
    community: Community, oracles: Oracles
) -> None:
    home = community.households[0]
    asked = ask(community, home, "smartmeter", METER)
    refuses(community, "STILL_WAITING", home.client, RETRY, asked["request_id"])
    refuses(community, "STILL_WAITING", home.client, EXPIRE, asked["request_id"])
    again = asked
    for attempt in range(2, ATTEMPTS_MAX + 1):
        pass_time(community, REQUEST_LIFETIME_MS)
        again = home.client.submit(RETRY, again["request_id"])
        assert (again["attempt"], again["at_ms"]) == (attempt, asked["at_ms"])
        assert again["first_request_id"] == asked["request_id"]
    pass_time(community, REQUEST_LIFETIME_MS)
    refuses(community, "NO_MORE_RETRIES", home.client, RETRY, again["request_id"])
    expired = community.households[1].client.submit(EXPIRE, again["request_id"])
    assert expired["state"] == "EXPIRED"
    assert last_event(community)[0] == "RequestExpired"
    before = community.ledger.snapshot().state
    community.scheduler.submit(EXPIRE, again["request_id"])
    assert community.ledger.snapshot().state == before
    refuses(community, "REQUEST_EXPIRED", oracles[COOP], ANSWER, again["request_id"], 5)


def test_an_answer_after_a_retry_counts_for_the_new_question(
    community: Community, oracles: Oracles
) -> None:
    home = community.households[0]
    asked = ask(community, home, "smartmeter", METER)
    oracles[COOP].submit(ANSWER, asked["request_id"], 5)
    pass_time(community, REQUEST_LIFETIME_MS)
    again = home.client.submit(RETRY, asked["request_id"])["request_id"]
    for member in (COOP, DSO):
        oracles[member].submit(ANSWER, again, 5)
    refuses(community, "ALREADY_FULFILLED", home.client, RETRY, again)


def test_an_older_observation_does_not_replace_a_newer_charge(
    community: Community, oracles: Oracles
) -> None:
    home = community.households[0]
    older = ask(community, home, "battery_soc", BATTERY)["request_id"]
    pass_time(community, 1_000)
    newer = ask(community, home, "battery_soc", BATTERY)["request_id"]
    for asked, value in ((newer, 4_000), (older, 9_000)):
        for member in (COOP, DSO):
            oracles[member].submit(ANSWER, asked, value)
    charge = json.loads(community.ledger.state(f"charge~{BATTERY}") or b"")
    assert (charge["stored_wh"], charge["request_id"]) == (4_000, newer)


def test_an_oracle_sees_what_it_has_still_to_answer(
    community: Community, oracles: Oracles
) -> None:
    def waiting(member: str) -> list[str]:
        found = oracles[member].evaluate("oracle:open_requests")
        return [asked["request_id"] for asked in found]

    home = community.households[0]
    first = ask(community, home, "smartmeter", METER)["request_id"]
    second = ask(community, home, "battery_soc", BATTERY)["request_id"]
    oracles[COOP].submit(ANSWER, first, 5)
    assert (waiting(COOP), set(waiting(DSO))) == ([second], {first, second})
    oracles[DSO].submit(ANSWER, first, 5)
    assert waiting(UTILITY) == [second]
    pass_time(community, REQUEST_LIFETIME_MS)
    assert waiting(UTILITY) == [second], "to be expired"
    oracles[UTILITY].submit(EXPIRE, second)
    assert waiting(UTILITY) == []
    refuses(community, "ROLE_NOT_ALLOWED", community.scheduler, "oracle:open_requests")

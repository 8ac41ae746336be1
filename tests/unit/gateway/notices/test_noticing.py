"""Who is told what, once, and how a household chooses."""

import asyncio
import json
from dataclasses import replace

import httpx
import pytest

from gateway.application import create_app
from gateway.database import open_database
from gateway.hems.alarms import AlarmBook, AlarmKind
from gateway.identity.sessions import Viewer
from gateway.local_time import fixed
from gateway.notices.book import KEPT_MS, MAILED_WITHIN_MS, NoticeBook
from gateway.notices.outbox import ATTEMPTS_MAX, RETRY_MS_MAX, RETRY_MS_MIN, Outbox, retry_pause_ms
from gateway.notices.records import Channel, Choices, Kind
from gateway.notices.rules import notices_of
from gateway.notices.ways import NoticeWays
from gateway.readmodel.records import EventRecord
from gateway.web.languages import LOCALE_NAMES, language
from gateway.web.notice_texts import NoticeWriter
from tests.unit.energy.community import LISTING, Household
from tests.unit.gateway.ledger_double import services_over
from tests.unit.gateway.notices.told_street import Street, all_steps

SELLER_IS_TOLD = ["invitation", "match", "settlement", "buy_call", "invitation", "stop"]
BUYER_IS_TOLD = ["invitation", "match", "settlement", "sell_call", "invitation", "stop"]


@pytest.fixture
def street() -> Street:
    found = Street()
    found.play()
    return found


def outbox_of(street: Street) -> list[str]:
    """Everything that is due, by kind; taking it makes it not due."""
    outbox = Outbox(street.book.database)
    kinds = []
    while item := outbox.take(Channel.EMAIL, street.now_ms):
        kinds.append(f"{item.notice.idgrid} {item.notice.kind}")
    return kinds


def test_everybody_is_told_what_concerns_everybody_and_parties_what_concerns_them(street):
    all_steps(street.noticing())
    assert street.kinds(street.seller) == SELLER_IS_TOLD
    assert street.kinds(street.buyer) == BUYER_IS_TOLD


def test_a_settlement_names_window_energy_and_amount_to_both_parties(street):
    all_steps(street.noticing())
    for home, paid, received in ((street.seller, 0, 432_000), (street.buyer, 432_000, 0)):
        [entry] = [
            entry
            for entry in street.book.inbox(home.idgrid, 100)
            if entry.notice.kind is Kind.SETTLEMENT
        ]
        facts = entry.notice.facts
        assert (facts["listing_id"], facts["energy_wh"]) == (LISTING, 8000)
        assert (facts["paid_utoken"], facts["received_utoken"]) == (paid, received)


def test_a_restart_neither_repeats_nor_forgets_a_notice():
    street = Street()
    street.play()
    path = street.book.database.engine.url.database
    noticing = street.noticing()
    assert noticing.step()
    street.book.database.close()
    street.book = NoticeBook(open_database(f"sqlite:///{path}"))
    all_steps(street.noticing())
    assert all_steps(street.noticing()) == 0
    assert street.kinds(street.seller) == SELLER_IS_TOLD
    assert len(outbox_of(street)) == 2 * len([k for k in SELLER_IS_TOLD if k != "invitation"])


def test_a_filled_anew_read_model_repeats_nothing(street):
    all_steps(street.noticing())
    street.ledger.projector.empty()
    street.ledger.catch_up()
    assert all_steps(street.noticing()) == 0
    assert street.kinds(street.seller) == SELLER_IS_TOLD


def test_nobody_is_mailed_what_is_long_over(street):
    street.now_ms += MAILED_WITHIN_MS + 1
    all_steps(street.noticing())
    assert outbox_of(street) == []
    assert street.kinds(street.seller) == SELLER_IS_TOLD


def test_old_notices_go(street):
    all_steps(street.noticing())
    street.book.forget(street.now_ms + KEPT_MS)
    assert street.kinds(street.seller) == SELLER_IS_TOLD
    street.book.forget(street.now_ms + KEPT_MS + 1)
    assert street.kinds(street.seller) == []


def test_an_alarm_is_told_to_the_owner_of_the_device_once(street):
    alarms = AlarmBook(street.book.database)
    names = [street.seller.meter_id, "of-nobody"]
    alarms.raise_once(AlarmKind.SILENT, names, "", street.now_ms)
    all_steps(street.noticing())
    all_steps(street.noticing())
    assert street.kinds(street.seller).count("alarm") == 1
    assert street.kinds(street.buyer).count("alarm") == 0
    alarms.clear(AlarmKind.SILENT, names, street.now_ms)
    assert all_steps(street.noticing()) == 1
    assert all_steps(street.noticing()) == 0
    assert street.kinds(street.seller).count("alarm") == 2
    writer = NoticeWriter("La Ligua", fixed(-180))
    told = street.book.inbox(street.seller.idgrid, 100)
    titles = [writer.text(entry.notice, language("en")).title for entry in told]
    assert {"A device needs attention", "A device is well again"} < set(titles)


def test_an_alarm_that_is_over_before_anybody_looked_is_told_twice():
    street = Street()
    alarms = AlarmBook(street.book.database)
    alarms.raise_once(AlarmKind.SILENT, [street.seller.meter_id], "", street.now_ms)
    alarms.clear(AlarmKind.SILENT, [street.seller.meter_id], street.now_ms)
    street.play()
    all_steps(street.noticing())
    assert street.kinds(street.seller).count("alarm") == 2


def test_a_new_owner_of_a_device_is_not_told_of_alarms_from_before(street):
    meter_id = street.seller.meter_id
    record = json.loads(street.community.ledger.state(f"meter~{meter_id}"))
    record |= {"owner_idgrid": street.buyer.idgrid, "owned_since_ms": street.now_ms + 1}
    alarms = AlarmBook(street.book.database)
    alarms.raise_once(AlarmKind.SILENT, [meter_id], "", street.now_ms)
    street.ledger.double.event = ("DeviceTransferred", b"{}")
    street.ledger.block(("devices:transfer", {f"meter~{meter_id}": json.dumps(record).encode()}))
    street.ledger.catch_up()
    alarms.clear(AlarmKind.SILENT, [meter_id], street.now_ms + 1)
    all_steps(street.noticing())
    assert street.kinds(street.buyer) == BUYER_IS_TOLD
    alarms.raise_once(AlarmKind.SILENT, [meter_id], "", street.now_ms + 1)
    all_steps(street.noticing())
    assert street.kinds(street.buyer) == ["alarm", *BUYER_IS_TOLD]


def choices_form(choices: Choices) -> dict[str, object]:
    wanted = [f"{k}:{c}" for k in Kind for c in Channel if choices.wants(k, c)]
    return {"wanted": wanted, "language": choices.language}


@pytest.mark.row("E131")
def test_a_muted_kind_stays_away_and_the_others_arrive(street):
    """Chosen on the account page, as a browser sends it; read in the inbox."""
    muted = frozenset({(Kind.MATCH, Channel.INBOX), (Kind.STOP, Channel.EMAIL)})
    ways = NoticeWays(tuple(Channel))
    services = services_over(street.ledger.double, readmodel=street.ledger.readmodel)
    services = replace(services, notice_ways=ways)

    async def scene() -> None:
        transport = httpx.ASGITransport(app=create_app(services))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost", headers=signed_in(street.seller)
        ) as client:
            form = choices_form(Choices(muted, "es"))
            kept = await client.post("/notices/choices", data=form)
            assert (kept.status_code, kept.headers["location"]) == (303, "/account#notices")
            await asyncio.to_thread(all_steps, street.noticing())
            account = (await client.get("/account")).text
            boxes = account.split('<input type="checkbox"')[1:]
            unticked = [box for box in boxes if " checked" not in box.partition(">")[0]]
            assert len(boxes) == len(Kind) * len(Channel)
            assert len(unticked) == len(muted)
            inbox = (await client.get("/notices", headers={"accept-language": "es"})).text
            assert "La energía está liquidada" in inbox
            assert LISTING in inbox
            assert "Hay un acuerdo para usted" not in inbox
            unknown = await client.post("/notices/choices", data=form | {"language": "xx"})
            assert unknown.status_code == 422
            foreign = await client.post(
                "/notices/choices", data=form, headers={"sec-fetch-site": "cross-site"}
            )
            assert foreign.status_code == 403
            nobody = await client.get("/notices", headers={"authorization": ""})
            assert nobody.status_code == 401

    def signed_in(home: Household) -> dict[str, str]:
        services.sessions.admit("of-a-household", Viewer(home.idgrid))
        return {"authorization": "Bearer of-a-household"}

    asyncio.run(scene())
    told = [kind for kind in SELLER_IS_TOLD if kind != "match"]
    assert street.kinds(street.seller) == told
    mails = [mail for mail in outbox_of(street) if mail.startswith(street.seller.idgrid)]
    assert not any(mail.endswith("stop") for mail in mails)
    assert any(mail.endswith("match") for mail in mails)
    assert street.kinds(street.buyer) == BUYER_IS_TOLD


def test_an_item_is_taken_by_one_and_tried_again_until_it_is_hopeless(street):
    all_steps(street.noticing())
    outbox = Outbox(street.book.database)
    item = outbox.take(Channel.EMAIL, street.now_ms)
    assert item is not None
    rest = outbox_of(street)
    assert f"{item.notice.idgrid} {item.notice.kind}" not in rest
    now_ms = street.now_ms + RETRY_MS_MAX
    for item in iter(lambda: outbox.take(Channel.EMAIL, now_ms), None):
        outbox.sent(item) if item.attempt == 2 else pytest.fail("an attempt is not counted")
    assert outbox.take(Channel.EMAIL, now_ms + 10 * RETRY_MS_MAX) is None


def test_after_the_last_attempt_it_is_given_up(street):
    all_steps(street.noticing(Channel.EMAIL))
    outbox, now_ms = Outbox(street.book.database), street.now_ms
    attempts = 0
    while item := outbox.take(Channel.EMAIL, now_ms):
        attempts += 1
        outbox.failed(item, "the server is away")
        now_ms += RETRY_MS_MAX
    mails = 2 * len([kind for kind in SELLER_IS_TOLD if kind != "invitation"])
    assert attempts == mails * ATTEMPTS_MAX


def test_pauses_double_up_to_a_limit():
    pauses = [retry_pause_ms(attempt) for attempt in range(1, 12)]
    assert pauses[:3] == [RETRY_MS_MIN, 2 * RETRY_MS_MIN, 4 * RETRY_MS_MIN]
    assert max(pauses) == pauses[-1] == RETRY_MS_MAX


def test_an_event_nobody_is_told_of_makes_no_notice():
    event = EventRecord(1, 0, "tx", "market:place_bid", "OrderPlaced", b"not even read")
    assert notices_of(event, ["VAL-0001-X"]) == []
    assert (
        notices_of(
            replace(event, name="EmergencyStop", payload=b'{"listing_id":"x","reason":""}'), []
        )
        == []
    )


@pytest.mark.parametrize("code", sorted(LOCALE_NAMES))
def test_every_notice_has_words_in_every_language(street, code):
    alarms = AlarmBook(street.book.database)
    for kind in AlarmKind:
        alarms.raise_once(kind, [street.seller.meter_id], "", street.now_ms)
        alarms.clear(kind, [street.seller.meter_id], street.now_ms)
    all_steps(street.noticing())
    writer = NoticeWriter("La Ligua", fixed(-180))
    seen = set()
    for home in (street.seller, street.buyer):
        for entry in street.book.inbox(home.idgrid, 100):
            text = writer.text(entry.notice, language(code))
            assert text.title
            assert text.sentence
            assert "%(" not in text.sentence
            seen.add(entry.notice.kind)
    assert seen == set(Kind) - {Kind.KEYS, Kind.STATEMENT}  # test_keys_and_statements.py

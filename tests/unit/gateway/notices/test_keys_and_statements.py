"""A household is told of its keys, whatever it muted, and of a statement that is ready."""

from datetime import timedelta

import pytest

from chaincode.energy.registry.signers import RECOVERY_COOL_DOWN_MS
from gateway.local_time import fixed
from gateway.notices.outbox import Outbox
from gateway.notices.records import Channel, Choices, Kind, Notice
from gateway.web.languages import LOCALE_NAMES, language
from gateway.web.notice_texts import NoticeWriter
from tests.unit.energy.community import Household, milliseconds
from tests.unit.energy.settlement.trades import settled_trade
from tests.unit.gateway.ledger_double import NOW_MS
from tests.unit.gateway.notices.told_street import Street, all_steps

FIRST, SECOND, RECOVERED = "a1" * 32, "b2" * 32, "c3" * 32
MONTH = "2026-01"


def a_street() -> Street:
    """A traded hour; the seller's keys are entered, one more added and ended."""
    street = Street()
    street.community, street.seller, street.buyer = settled_trade(8000, 9000)
    manager, seller = street.community.manager, street.seller
    manager.submit("signers:enrol", seller.idgrid, FIRST)
    manager.submit("signers:recover", seller.idgrid, SECOND)
    manager.submit("signers:revoke", seller.idgrid, SECOND)
    street.now_ms = milliseconds(street.community.ledger.now)
    return street


def notices(street: Street, home: Household, kind: Kind) -> list[Notice]:
    """The oldest first."""
    entries = street.book.inbox(home.idgrid, 100)
    return [entry.notice for entry in reversed(entries) if entry.notice.kind is kind]


def told(street: Street) -> list[str]:
    return [notice.facts["what"] for notice in notices(street, street.seller, Kind.KEYS)]


def test_keys_that_are_added_and_ended_are_told_to_their_household_once() -> None:
    street = a_street()
    street.play()
    all_steps(street.noticing())
    all_steps(street.noticing())
    assert sorted(told(street)) == ["added", "recovery", "revoked"]
    assert notices(street, street.buyer, Kind.KEYS) == []


def test_the_end_of_a_recovery_is_told_when_the_new_key_acts_and_not_before() -> None:
    street = a_street()
    street.community.manager.submit("signers:recover", street.seller.idgrid, RECOVERED)
    street.play()
    all_steps(street.noticing())
    assert "recovered" not in told(street)
    street.now_ms += RECOVERY_COOL_DOWN_MS - 1
    assert all_steps(street.noticing()) == 0
    street.now_ms += 1
    assert all_steps(street.noticing()) == 1
    assert all_steps(street.noticing()) == 0
    assert told(street).count("recovered") == 1


def test_a_recovery_that_is_undone_ends_without_a_word() -> None:
    street = a_street()
    street.play()
    all_steps(street.noticing())
    street.now_ms += RECOVERY_COOL_DOWN_MS
    all_steps(street.noticing())
    assert "recovered" not in told(street)


def test_who_muted_everything_is_still_told_of_its_keys() -> None:
    street = a_street()
    street.play()
    nothing = frozenset((kind, channel) for kind in Kind for channel in Channel)
    street.now_ms = NOW_MS  # the time of the blocks: nothing is too old for a mail
    street.book.choose(street.seller.idgrid, Choices(nothing, "es"))
    all_steps(street.noticing(*Channel))
    kinds = [notice.notice.kind for notice in street.book.inbox(street.seller.idgrid, 100)]
    assert set(kinds) == {Kind.KEYS}
    outbox = Outbox(street.book.database)
    sent = [
        item.notice.kind
        for item in iter(lambda: outbox.take(Channel.EMAIL, street.now_ms), None)
        if item.notice.idgrid == street.seller.idgrid
    ]
    assert sent == [Kind.KEYS] * 3
    assert outbox.take(Channel.PUSH, street.now_ms) is None


def test_a_statement_is_told_to_those_who_have_one() -> None:
    street = a_street()
    idle = street.community.join()
    ledger = street.community.ledger
    ledger.at("2026-02-01T00:00:00Z")
    while street.community.scheduler.submit("statements:issue", MONTH)["state"] != "ISSUED":
        ledger.at(ledger.now + timedelta(seconds=1))
    street.play()
    all_steps(street.noticing())
    for home in (street.seller, street.buyer):
        (notice,) = notices(street, home, Kind.STATEMENT)
        assert notice.facts == {"month": MONTH, "run": 1}
    assert notices(street, idle, Kind.STATEMENT) == []


@pytest.mark.parametrize("code", sorted(LOCALE_NAMES))
def test_keys_and_statements_have_words_in_every_language(code: str) -> None:
    street, writer = a_street(), NoticeWriter("La Ligua", fixed(-180))
    street.community.manager.submit("signers:recover", street.seller.idgrid, RECOVERED)
    street.community.ledger.at("2026-02-01T00:00:00Z")
    street.community.scheduler.submit("statements:issue", MONTH)
    street.play()
    all_steps(street.noticing())
    street.now_ms += RECOVERY_COOL_DOWN_MS
    all_steps(street.noticing())
    found = [
        writer.text(notice, language(code))
        for kind in (Kind.KEYS, Kind.STATEMENT)
        for notice in notices(street, street.seller, kind)
    ]
    assert len(found) == 6
    assert all(text.title and "%(" not in text.sentence for text in found)
    assert any(RECOVERED[:16] in text.sentence for text in found)

"""Switch commands: sent until answered, never after their expiry, a newer one ends the older."""

from gateway.hems.switching import ANSWER_GRACE_MS, UNCHANGED_AFTER_MS, SwitchBook
from gateway.hems.transfer_rules import RESEND_UNANSWERED_MS
from gateway.mqtt.device_messages import Acknowledgement, DeviceState
from tests.support.gateway_database import fresh_database
from tests.unit.gateway.metering.data_service import NOON_MS

LIFETIME_MS = 5_000


def issued(book: SwitchBook, device: str = "node-1", *, on: bool = True, now_ms: int = NOON_MS):
    return book.issue(device, is_on=on, now_ms=now_ms, lifetime_ms=LIFETIME_MS)


def answer(command, status: str = "done", device: str = "node-1", reason: str = ""):
    return Acknowledgement(device, command.command_id, status, NOON_MS, reason)


def standing(book: SwitchBook, command) -> tuple[str, str]:
    found = book.get(command.command_id)
    return found.status, found.reason


def test_a_command_is_sent_again_until_it_is_answered_across_restarts():
    database = fresh_database()
    command = issued(SwitchBook(database))
    book = SwitchBook(database)
    (sent,) = book.due(NOON_MS)
    assert sent.device_id == "node-1"
    assert sent.message == {
        "v": 1,
        "id": command.command_id,
        "op": "switch",
        "t": NOON_MS,
        "expires": NOON_MS + LIFETIME_MS,
        "on": 1,
    }
    assert book.due(NOON_MS + RESEND_UNANSWERED_MS - 1) == []
    assert len(book.due(NOON_MS + RESEND_UNANSWERED_MS)) == 1
    book.note([answer(command)], {}, NOON_MS + 2_100)
    assert standing(book, command) == ("done", "")
    assert book.due(NOON_MS + 2 * RESEND_UNANSWERED_MS) == []


def test_after_its_expiry_it_is_not_sent_and_soon_given_up_but_the_devices_word_counts():
    book = SwitchBook(fresh_database())
    command = issued(book)
    assert book.due(NOON_MS + LIFETIME_MS) == []
    assert standing(book, command) == ("", "")
    book.due(NOON_MS + LIFETIME_MS + ANSWER_GRACE_MS)
    assert standing(book, command) == ("failed", "no_answer")
    book.note([answer(command)], {}, NOON_MS + LIFETIME_MS + 3_000)
    assert standing(book, command) == ("done", "")
    book.note([answer(command, "failed")], {}, NOON_MS + LIFETIME_MS + 4_000)
    assert standing(book, command) == ("done", ""), "a final answer stays"


def test_another_device_cannot_answer_and_a_newer_command_ends_the_older():
    book = SwitchBook(fresh_database())
    first, other = issued(book), issued(book, "node-2")
    book.note([answer(first, device="node-2")], {}, NOON_MS)
    assert standing(book, first) == ("", "")
    second = issued(book, on=False, now_ms=NOON_MS + 10)
    assert standing(book, first) == ("failed", "superseded")
    assert {one.message["id"] for one in book.due(NOON_MS + 20)} == {
        second.command_id,
        other.command_id,
    }
    book.note([answer(second, "refused", reason="clock")], {}, NOON_MS + 30)
    assert standing(book, second) == ("refused", "clock")


def test_a_plug_without_ids_answers_by_its_state_and_others_do_not():
    book = SwitchBook(fresh_database(), answering_by_state=["plug-1"])
    plug, node = issued(book, "plug-1"), issued(book)
    off = {"plug-1": DeviceState("plug-1", "online", NOON_MS, plug_on=0)}
    book.note([], off, NOON_MS)
    assert standing(book, plug) == ("", "")
    on = {name: DeviceState(name, "online", NOON_MS, plug_on=1) for name in ("plug-1", "node-1")}
    book.note([], on, NOON_MS)
    assert standing(book, plug) == ("done", "")
    assert standing(book, node) == ("", "")


def test_a_plug_that_is_as_it_is_wanted_and_says_nothing_else_is_done():
    """Shelly plugs report changes only: there is none."""
    shown = {"plug-1": True, "plug-2": False, "plug-3": None, "node-1": True}
    plugs = ["plug-1", "plug-2", "plug-3"]
    book = SwitchBook(fresh_database(), answering_by_state=plugs, is_on=shown.get)
    commands = {name: issued(book, name) for name in shown}
    told_ms = NOON_MS + 500
    assert len(book.due(told_ms)) == 4, "it is told all the same"
    for command in commands.values():
        book.sent(command.command_id, told_ms)
        book.sent(command.command_id, told_ms + RESEND_UNANSWERED_MS - 1)  # and again
    book.due(told_ms + UNCHANGED_AFTER_MS - 1)
    assert standing(book, commands["plug-1"]) == ("", "")
    book.due(told_ms + UNCHANGED_AFTER_MS)
    assert standing(book, commands["plug-1"]) == ("done", "")
    book.due(NOON_MS + LIFETIME_MS + ANSWER_GRACE_MS)
    for name in ("plug-2", "plug-3", "node-1"):
        assert standing(book, commands[name]) == ("failed", "no_answer"), name


def test_a_command_that_never_left_is_not_done_though_the_plug_is_as_it_is_wanted():
    """As while the broker is away."""
    book = SwitchBook(fresh_database(), answering_by_state=["plug-1"], is_on=lambda _: True)
    command = issued(book, "plug-1")
    for later_ms in (0, UNCHANGED_AFTER_MS, LIFETIME_MS):
        book.due(NOON_MS + later_ms)
        assert standing(book, command) == ("", "")
    book.due(NOON_MS + LIFETIME_MS + ANSWER_GRACE_MS)
    assert standing(book, command) == ("failed", "no_answer")

"""Notices in words: what a person reads in the inbox and in a mail."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from chaincode.energy.marketplace.posts import ID_SEPARATOR
from gateway.hems.alarms import AlarmKind
from gateway.local_time import LocalTime
from gateway.notices.mail import Letter
from gateway.notices.records import Channel, Facts, Kind, Notice, NoticeText
from gateway.web.languages import LOCALE_NAMES, N_, Language, language

KINDS: Mapping[Kind, str] = {
    Kind.INVITATION: N_("A market is open"),
    Kind.BUY_CALL: N_("A neighbour looks for energy"),
    Kind.SELL_CALL: N_("A neighbour offers energy"),
    Kind.MATCH: N_("You have a match"),
    Kind.SETTLEMENT: N_("Energy is settled"),
    Kind.STOP: N_("A market was stopped"),
    Kind.ALARM: N_("A device needs attention"),
    Kind.KEYS: N_("Keys of your household"),
    Kind.STATEMENT: N_("A statement is ready"),
}
CHANNELS: Mapping[Channel, str] = {
    Channel.INBOX: N_("Inbox"),
    Channel.EMAIL: N_("E-mail"),
    Channel.PUSH: N_("On my devices"),
    Channel.MQTT: N_("MQTT"),
    Channel.WEBHOOK: N_("Webhook"),
}
ALARMS: Mapping[str, str] = {
    AlarmKind.SILENT: N_("nothing is heard of it"),
    AlarmKind.SET_ASIDE: N_("its readings were set aside"),
    AlarmKind.IRREGULAR_LOAD: N_("its load is irregular"),
    AlarmKind.TAMPERED: N_("somebody may have tampered with it"),
    AlarmKind.TRANSFER: N_("a transfer of energy did not go as planned"),
    AlarmKind.CLOCK: N_("it doubts the time it is told"),
    AlarmKind.SENSOR: N_("a sensor is at the end of its range or nobody has calibrated it"),
}
ALARMS_OVER: Mapping[str, str] = {
    AlarmKind.SILENT: N_("it is heard again"),
    AlarmKind.SET_ASIDE: N_("its readings are believed again"),
    AlarmKind.IRREGULAR_LOAD: N_("its load is as usual again"),
    AlarmKind.TAMPERED: N_("it is in order again"),
    AlarmKind.TRANSFER: N_("a transfer of energy went as planned again"),
    AlarmKind.CLOCK: N_("it knows the time again"),
    AlarmKind.SENSOR: N_("its sensors are in order again"),
}
WELL_AGAIN = N_("A device is well again")
CALL = N_("%(hour)s: %(energy)s kWh for %(price)s tokens (%(name)s)")
INVITATION = N_(
    "%(hour)s: orders are taken until %(until)s, from %(floor)s to %(cap)s tokens per kWh"
)
MATCH = N_("%(hour)s: you sell %(sold)s kWh and buy %(bought)s kWh at %(price)s tokens per kWh")
SOLD = N_("%(hour)s: you sell %(sold)s kWh at %(price)s tokens per kWh")
BOUGHT = N_("%(hour)s: you buy %(bought)s kWh at %(price)s tokens per kWh")
SETTLEMENT = N_(
    "%(hour)s (%(name)s): %(energy)s kWh; received %(received)s, paid %(paid)s,"
    " given back %(refunded)s tokens"
)
CORRECTION = N_(
    "%(hour)s (%(name)s) is corrected by %(energy)s kWh; received %(received)s, paid %(paid)s,"
    " given back %(refunded)s tokens"
)
READINGS_MISSING = N_(
    "%(hour)s (%(name)s): readings are missing for %(energy)s kWh; unless they come,"
    " the buyer's money goes back from %(until)s on"
)
KEYS: Mapping[str, str] = {
    "added": N_(
        "Key %(key)s may sign for your household from now on. If this was not you, end it on your"
        " account page at once and tell the manager."
    ),
    "revoked": N_("Key %(key)s signs for your household no more."),
    "recovery": N_(
        "The manager has begun to replace the keys of your household: in a day key %(key)s takes"
        " over from all others. If you did not ask for it, end that key on your account page."
    ),
    "recovered": N_("Key %(key)s acts for your household now; its earlier keys have ended."),
}
STATEMENT = N_("The statement of %(month)s is on your account page.")
STOP = N_("%(hour)s: locked money comes back. Reason: %(reason)s")
WHY_THIS_MAIL = N_("On your account page you choose which notices you get.")

KEY_CHARACTERS_SHOWN = 16


@dataclass(frozen=True, slots=True)
class NoticeWriter:
    """Writes the notices of one community."""

    community_name: str
    local: LocalTime

    def text(self, notice: Notice, words: Language) -> NoticeText:
        """A notice in a language."""
        title = WELL_AGAIN if notice.facts.get("is_over") else KINDS[notice.kind]
        return NoticeText(words.text(title), self._sentence(notice.kind, notice.facts, words))

    def told(self, notice: Notice, code: str) -> NoticeText:
        """A notice in the language with this code; in English for an unknown one."""
        return self.text(notice, _spoken(code))

    def letter(self, notice: Notice, code: str) -> Letter:
        """A mail in the language with this code; in English for an unknown one."""
        words = _spoken(code)
        text = self.text(notice, words)
        return Letter(
            subject=f"{self.community_name}: {text.title}",
            body=f"{text.sentence}\n\n{words.text(WHY_THIS_MAIL)}\n",
        )

    def _sentence(self, kind: Kind, facts: Facts, words: Language) -> str:
        if kind is Kind.INVITATION:
            return self._invitation(facts, words)
        if kind is Kind.SETTLEMENT:
            return self._settlement(facts, words)
        if kind is Kind.STOP:
            hour = words.hour(facts["listing_id"], self.local)
            return words.text(STOP) % {"hour": hour, "reason": facts["reason"]}
        if kind in _PLAIN:
            return _PLAIN[kind](facts, words)
        if kind is Kind.MATCH and "listing_id" in facts:
            return self._match(facts, words)
        return words.text(CALL) % {
            "hour": self._hour_of(facts, words),
            "energy": words.kwh(facts["energy_wh"]),
            "price": words.tokens(facts["price_utoken"], 4),
            "name": facts["post_id"],
        }

    def _settlement(self, facts: Facts, words: Language) -> str:
        if "refund_from_ms" not in facts:
            return _settlement(facts, words, hour=self._hour_of(facts, words))
        return words.text(READINGS_MISSING) % {
            "hour": self._hour_of(facts, words),
            "name": facts["post_id"],
            "energy": words.kwh(facts["energy_wh"]),
            "until": words.instant(facts["refund_from_ms"], self.local),
        }

    def _invitation(self, facts: Facts, words: Language) -> str:
        return words.text(INVITATION) % {
            "hour": words.hour(facts["listing_id"], self.local),
            "until": words.instant(facts["gate_closure_ms"], self.local),
            "floor": words.tokens(facts["floor_utoken_per_kwh"], 3),
            "cap": words.tokens(facts["cap_utoken_per_kwh"], 3),
        }

    def _match(self, facts: Facts, words: Language) -> str:
        form = MATCH
        if not facts["sold_wh"] or not facts["bought_wh"]:
            form = SOLD if facts["sold_wh"] else BOUGHT
        return words.text(form) % {
            "hour": words.hour(facts["listing_id"], self.local),
            "sold": words.kwh(facts["sold_wh"]),
            "bought": words.kwh(facts["bought_wh"]),
            "price": words.tokens(facts["price_utoken_per_kwh"], 3),
        }

    def _hour_of(self, facts: Facts, words: Language) -> str:
        """The local hour of a listing, or of an offer or request from house to house."""
        name = facts.get("listing_id") or facts["post_id"].partition(ID_SEPARATOR)[0]
        return words.hour(name, self.local)


def _alarm(facts: Facts, words: Language) -> str:
    texts = ALARMS_OVER if facts.get("is_over") else ALARMS
    what = texts.get(facts["alarm"], facts["alarm"])
    return f"{facts['device_id']}: {words.text(what)}"


def _keys(facts: Facts, words: Language) -> str:
    key = facts["key_fingerprint"][:KEY_CHARACTERS_SHOWN]
    return words.text(KEYS[facts["what"]]) % {"key": key}


def _statement(facts: Facts, words: Language) -> str:
    month = words.month(datetime.fromisoformat(f"{facts['month']}-01"))
    return words.text(STATEMENT) % {"month": month}


_PLAIN: Mapping[Kind, Callable[[Facts, Language], str]] = {
    Kind.ALARM: _alarm,
    Kind.KEYS: _keys,
    Kind.STATEMENT: _statement,
}
"""Sentences without a time of day."""


def _spoken(code: str) -> Language:
    return language(code if code in LOCALE_NAMES else "en")


def _settlement(facts: Facts, words: Language, *, hour: str) -> str:
    """The window is also named as it is on the ledger, so that it can be looked up."""
    form = CORRECTION if facts.get("revision") else SETTLEMENT
    return words.text(form) % {
        "hour": hour,
        "name": facts.get("listing_id", facts.get("post_id")),
        "energy": words.kwh(facts["energy_wh"]),
        "received": words.tokens(facts["received_utoken"], 4),
        "paid": words.tokens(facts["paid_utoken"], 4),
        "refunded": words.tokens(facts["refunded_utoken"], 4),
    }

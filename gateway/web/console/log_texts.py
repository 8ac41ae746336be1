"""Words for what the gateway's own log of keys, letters and files says (`identity_log`)."""

import re
from collections.abc import Mapping

from gateway.identity.holders import STAFF
from gateway.identity.identity_log import STAFF_SEPARATOR
from gateway.identity.sessions import Way
from gateway.web.languages import N_, Language

LOG_ACTORS: Mapping[str, str] = {STAFF: N_("community manager")}
"""Everybody else is named by IDgrid."""
WAYS_IN: Mapping[str, str] = {Way.LINK: N_("login link"), Way.PASSKEY: N_("passkey")}
"""How staff sign in; the name of a session that has no passkey's name begins with it."""
LOG_ACTIONS: Mapping[str, str] = {
    "letter written": N_("Letter written"),
    "key requested": N_("Key requested"),
    "key approved": N_("Key approved"),
    "key refused": N_("Key refused"),
    "certificate issued": N_("Certificate issued"),
    "certificate collected": N_("Certificate collected"),
    "key login": N_("Signed in with a key"),
    "passkey login": N_("Signed in with a passkey"),
    "passkey added": N_("Passkey added"),
    "passkey removed": N_("Passkey removed"),
    "session ended": N_("Session ended"),
    "link written": N_("Login link made"),
    "password set": N_("Password set"),
    "login locked": N_("Signing in locked after wrong tries"),
    "export": N_("File taken"),
    "sessions ended": N_("Sessions ended"),
    "tokens ended": N_("Tokens of scripts ended"),
    "webhooks ended": N_("Webhooks ended"),
    "told browsers ended": N_("Notices to browsers ended"),
    "passkeys ended": N_("Passkeys ended"),
    "password ended": N_("Password ended"),
    "links ended": N_("Login links ended"),
    "devices that asked ended": N_("Requests of further devices ended"),
}
LOG_DETAILS: Mapping[str, str] = {
    "enrol": N_("first key"),
    "recover": N_("new key after a loss"),
    "device": N_("further device"),
    "devices": N_("Meters and other devices"),
    "sharing": N_("Sharing keys"),
    "energy": N_("Energy per hour and connection"),
    "passkey removed": N_("passkey removed"),
    "new password": N_("new password"),
    "recovery": N_("new key after a loss"),
}
END_OF_KEY = N_("end of the key")
ENDED_KEY = re.compile(r"key ([0-9a-f]+) ended")
COUNTED = re.compile(r"(\d+), (.+)")


def actor_text(words: Language, actor: str) -> str:
    """Who it was: an IDgrid, or staff with what the session is called; empty for a stranger."""
    holder, _, session = actor.partition(STAFF_SEPARATOR)
    if holder not in LOG_ACTORS:
        return actor
    way, space, rest = session.partition(" ")
    called = (words.text(WAYS_IN[way]) + space + rest) if way in WAYS_IN else session
    return ", ".join(filter(None, (words.text(LOG_ACTORS[holder]), called)))


def detail_text(words: Language, detail: str) -> str:
    """A detail in words; fingerprints, months and counts stay as they are."""
    if counted := COUNTED.fullmatch(detail):
        return f"{counted[1]}, {detail_text(words, counted[2])}"
    if ended := ENDED_KEY.fullmatch(detail):
        return f"{words.text(END_OF_KEY)} {ended[1]}"
    if detail in LOG_DETAILS:
        return words.text(LOG_DETAILS[detail])
    first, space, rest = detail.partition(" ")
    return (words.text(LOG_DETAILS[first]) if first in LOG_DETAILS else first) + space + rest

"""What a notice is, and what a household may choose."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a notice is about (E017, E057, E130)."""

    INVITATION = "invitation"
    """A market takes orders."""
    BUY_CALL = "buy_call"
    """Another household asks for energy on the marketplace."""
    SELL_CALL = "sell_call"
    """Another household offers energy on the marketplace."""
    MATCH = "match"
    SETTLEMENT = "settlement"
    STOP = "stop"
    ALARM = "alarm"
    """Something is wrong with an own device, or is well again (E075, E077)."""
    KEYS = "keys"
    """A key may sign for the household, or may no more; a recovery begins, or is over."""
    STATEMENT = "statement"
    """A month's statement is issued (E058)."""


class Channel(StrEnum):
    """How a notice reaches its household."""

    INBOX = "inbox"
    EMAIL = "email"
    PUSH = "push"
    """Shown by browsers that asked for it (Web Push)."""
    MQTT = "mqtt"
    """A message on the household's own topic of the community's broker."""
    WEBHOOK = "webhook"
    """Signed requests to addresses the household named; none without such an address."""


MUTED_UNLESS_CHOSEN = frozenset(
    {
        (Kind.INVITATION, Channel.EMAIL),
        (Kind.INVITATION, Channel.PUSH),
        *((kind, Channel.MQTT) for kind in Kind),
    }
)
"""Being called every hour is what people leave for; most households hear nothing of the broker."""

NEVER_MUTED = frozenset({(Kind.KEYS, Channel.INBOX), (Kind.KEYS, Channel.EMAIL)})
"""Who takes over a household's keys must not be able to keep it from being told."""

Facts = Mapping[str, Any]
"""Numbers and texts a notice is about: energy in Wh, money in micro-tokens, times ms UTC."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a notice tells of; with household and kind it is that notice's name for ever."""

    block_number: int
    index: int
    """Of the transaction in its block; of an alarm its number, in block `ALARMS` (or `…_OVER`)."""


ALARMS, ALARMS_OVER, RECOVERIES_OVER = -1, -2, -3
"""Stand for the block of what is not on the ledger: alarms of devices, raised and over; an end."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing told to one household."""

    idgrid: str
    kind: Kind
    source: Source
    facts: Facts

    @property
    def name(self) -> str:
        """The same for ever, and no other notice's."""
        return f"{self.kind}.{self.source.block_number}.{self.source.index}.{self.idgrid}"


@dataclass(frozen=True, slots=True)
class NoticeText:
    """A notice in words: a heading and one sentence."""

    title: str
    sentence: str


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """A notice and when it was made, ms UTC."""

    notice: Notice
    created_ms: int


@dataclass(frozen=True, slots=True)
class Choices:
    """What a household wants to be told, how, and in which language beyond the pages.

    `language` is empty until the household chose one.
    """

    muted: frozenset[tuple[Kind, Channel]] = MUTED_UNLESS_CHOSEN
    language: str = ""

    def wants(self, kind: Kind, channel: Channel) -> bool:
        """Whether notices of this kind take this way."""
        way = (kind, channel)
        return way in NEVER_MUTED or way not in self.muted

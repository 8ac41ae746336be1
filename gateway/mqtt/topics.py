"""Topic layout `rec/<community>/<meter>/<leaf>` and who may publish or receive what.

Leaves: `reading` (signed registers), `charge` (energy in a battery), `state` (online or lost; the
only retained one), `cmd` (to the device, with id and expiry), `ack` (the device's answer to a
command).
"""

import re
from dataclasses import dataclass

ROOT = "rec"
READING, CHARGE = "reading", "charge"
STATE, COMMAND, ACKNOWLEDGEMENT = "state", "cmd", "ack"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""Community and meter names: safe inside a topic, a URL and a ledger key."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A concrete topic of one meter."""

    community: str
    meter: str
    leaf: str

    def __str__(self) -> str:
        """The topic as sent."""
        return f"{ROOT}/{self.community}/{self.meter}/{self.leaf}"


def parse_topic(text: str) -> Topic | None:
    """The parts of a topic of our layout, or `None` for any other topic."""
    levels = text.split("/")
    if len(levels) != 4 or levels[0] != ROOT:  # noqa: PLR2004 - rec/community/meter/leaf
        return None
    _, community, meter, leaf = levels
    if not NAME.fullmatch(community) or not NAME.fullmatch(meter):
        return None
    return Topic(community, meter, leaf) if leaf in _LEAVES else None


_LEAVES = frozenset((READING, CHARGE, STATE, COMMAND, ACKNOWLEDGEMENT))


@dataclass(frozen=True, slots=True)
class Access:
    """Topic filters one client may publish to and receive from. Filters hold `+`, never `#`."""

    publish: tuple[str, ...]
    receive: tuple[str, ...]

    def may_publish(self, topic: str) -> bool:
        """Whether a message may be sent to this concrete topic."""
        return any(covers(granted, topic) for granted in self.publish)

    def may_receive(self, topic_or_filter: str) -> bool:
        """Whether everything this topic or filter matches is granted."""
        return any(covers(granted, topic_or_filter) for granted in self.receive)


def covers(granted: str, asked: str) -> bool:
    """Whether every topic matched by `asked` is matched by `granted` (neither may use `#`)."""
    granted_levels, asked_levels = granted.split("/"), asked.split("/")
    return (
        "#" not in asked
        and len(granted_levels) == len(asked_levels)
        and all(
            allowed in ("+", level)
            for allowed, level in zip(granted_levels, asked_levels, strict=True)
        )
    )


def meter_access(community: str, meter: str) -> Access:
    """A device speaks for itself and hears its own commands, nothing else."""
    return Access(
        publish=tuple(
            str(Topic(community, meter, leaf))
            for leaf in (READING, CHARGE, STATE, ACKNOWLEDGEMENT)
        ),
        receive=(str(Topic(community, meter, COMMAND)),),
    )


def gateway_access(community: str) -> Access:
    """The gateway hears all meters of its community and may command them."""
    return Access(
        publish=(f"{ROOT}/{community}/+/{COMMAND}",),
        receive=tuple(
            f"{ROOT}/{community}/+/{leaf}" for leaf in (READING, CHARGE, STATE, ACKNOWLEDGEMENT)
        ),
    )

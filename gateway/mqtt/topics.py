"""Topic layout `rec/<community>/<device>/<leaf>` and who may publish or receive what.

docs/mqtt.md says what each leaf carries. Retained are `state`, `ota`, `market`, discovery and what
home automations hear of devices, and nothing else.
"""

import re
from dataclasses import dataclass

ROOT = "rec"
READING, STORED, MEASURE, CHARGE = "reading", "stored", "measure", "charge"
STATE, COMMAND, ACKNOWLEDGEMENT, EVENT, UPDATE = "state", "cmd", "ack", "event", "ota"
TIME = "time"
MARKET = "market"
"""What a household's own home automation hears, retained."""
DISCOVERY_PREFIX = "homeassistant"
"""Where Home Assistant looks for configurations, unless it is told otherwise."""
BROKER_LOG = "$SYS/broker/log/N"
"""Where the broker tells its gateway who signed in and who could not."""
PEOPLE, NOTICE = "people", "notice"
DEVICES, SWITCH = "devices", "switch"
GATEWAY = "gateway"
"""Stands where a device's name would, for what goes to every device; no device has it."""
FROM_DEVICE = (READING, MEASURE, CHARGE, STATE, ACKNOWLEDGEMENT, EVENT)
TO_DEVICE = (COMMAND, STORED, UPDATE)
RETAINED_BYTES_MAX = {STATE: 1_024, UPDATE: 1_024}
"""The leaves a broker may retain, and how much of each."""
MARKET_BYTES_MAX, DISCOVERY_BYTES_MAX, DEVICE_VALUES_BYTES_MAX = 1_024, 8_192, 1_024
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""Community and device names: safe inside a topic, a URL and a ledger key."""
_LEAVES = frozenset((*FROM_DEVICE, *TO_DEVICE))
_DISCOVERIES = (
    f"{DISCOVERY_PREFIX}/device/+/config",
    f"{DISCOVERY_PREFIX}/device/+/+/config",
)
"""Of households, and of their devices."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A concrete topic of one device."""

    community: str
    meter: str
    leaf: str

    def __str__(self) -> str:
        """The topic as sent."""
        return f"{ROOT}/{self.community}/{self.meter}/{self.leaf}"


def parse_topic(text: str) -> Topic | None:
    """The parts of a device's topic of our layout, or `None` for any other topic."""
    levels = text.split("/")
    if len(levels) != 4 or levels[0] != ROOT:  # noqa: PLR2004 - rec/community/device/leaf
        return None
    _, community, meter, leaf = levels
    if not NAME.fullmatch(community) or not NAME.fullmatch(meter) or meter == GATEWAY:
        return None
    return Topic(community, meter, leaf) if leaf in _LEAVES else None


def retained_bytes_max(topic_text: str) -> int:
    """How much a broker retains on a topic: -1 where it retains nothing."""
    topic = parse_topic(topic_text)
    if topic is not None:
        return RETAINED_BYTES_MAX.get(topic.leaf, -1)
    if any(covers(one, topic_text) for one in _DISCOVERIES):
        return DISCOVERY_BYTES_MAX
    if covers(device_values_topic("+", "+", "+"), topic_text):
        return DEVICE_VALUES_BYTES_MAX
    if covers(market_topic("+", "+"), topic_text):
        return MARKET_BYTES_MAX
    return RETAINED_BYTES_MAX[STATE] if covers(gateway_state_topic("+"), topic_text) else -1


def gateway_state_topic(community: str) -> str:
    """Whether the gateway is there: retained, with a last will."""
    return f"{ROOT}/{community}/{GATEWAY}/{STATE}"


def market_topic(community: str, idgrid: str) -> str:
    """How things stand for a household, for its home automation."""
    return f"{ROOT}/{community}/{PEOPLE}/{idgrid}/{MARKET}"


def discovery_topic(community: str, idgrid: str) -> str:
    """Where Home Assistant finds how to show it (`<prefix>/device/<object id>/config`)."""
    return f"{DISCOVERY_PREFIX}/device/{community}-{idgrid}/config"


def device_discovery_topic(community: str, idgrid: str, device_id: str) -> str:
    """The same for one of the household's devices (`<prefix>/device/<node id>/<object id>/…`)."""
    return f"{DISCOVERY_PREFIX}/device/{community}-{idgrid}/{device_id}/config"


def device_values_topic(community: str, idgrid: str, device_id: str) -> str:
    """What a device of a household last told, for its home automation."""
    return f"{ROOT}/{community}/{PEOPLE}/{idgrid}/{DEVICES}/{device_id}"


def device_switch_topic(community: str, idgrid: str, device_id: str) -> str:
    """Where a household's home automation switches one of its plugs."""
    return f"{device_values_topic(community, idgrid, device_id)}/{SWITCH}"


def time_topic(community: str) -> str:
    """Where the gateway tells every device the time."""
    return f"{ROOT}/{community}/{GATEWAY}/{TIME}"


def notice_topic(community: str, idgrid: str) -> str:
    """Where a household hears its notices (docs/notices.md)."""
    return f"{ROOT}/{community}/{PEOPLE}/{idgrid}/{NOTICE}"


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

    def may_look_for(self, asked: str) -> bool:
        """Whether a subscription is let in: to what is granted, and to wider discoveries.

        Home Assistant asks for everybody's discoveries; what is not granted is not delivered.
        """
        is_discovery = asked.startswith(f"{DISCOVERY_PREFIX}/device/")
        return self.may_receive(asked) or (
            is_discovery and any(overlaps(granted, asked) for granted in self.receive)
        )

    def joined(self, other: "Access") -> "Access":
        """Both rights together."""
        return Access(self.publish + other.publish, self.receive + other.receive)

    def reversed(self) -> "Access":
        """The rights of whoever is at the other end."""
        return Access(publish=self.receive, receive=self.publish)


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


def overlaps(granted: str, asked: str) -> bool:
    """Whether there may be a topic that both filters match (neither may use `#`)."""
    granted_levels, asked_levels = granted.split("/"), asked.split("/")
    return (
        "#" not in asked
        and len(granted_levels) == len(asked_levels)
        and all(
            "+" in (allowed, level) or allowed == level
            for allowed, level in zip(granted_levels, asked_levels, strict=True)
        )
    )


def meter_access(community: str, meter: str) -> Access:
    """A device speaks for itself and hears what is for it, and the time; nothing else."""
    return Access(
        publish=tuple(str(Topic(community, meter, leaf)) for leaf in FROM_DEVICE),
        receive=(
            *(str(Topic(community, meter, leaf)) for leaf in TO_DEVICE),
            time_topic(community),
        ),
    )


def gateway_access(community: str) -> Access:
    """The gateway hears all devices of its community and may command them."""
    return Access(
        publish=(
            *(_all_devices(community, leaf) for leaf in TO_DEVICE),
            time_topic(community),
            gateway_state_topic(community),
            notice_topic(community, "+"),
            market_topic(community, "+"),
            device_values_topic(community, "+", "+"),
            *_DISCOVERIES,
        ),
        receive=(
            *(_all_devices(community, leaf) for leaf in FROM_DEVICE),
            BROKER_LOG,
            device_switch_topic(community, "+", "+"),
            *_DISCOVERIES,
        ),
    )


def person_access(community: str, idgrid: str) -> Access:
    """A household, or its home automation, hears what is its own, and may switch its plugs."""
    return Access(
        publish=(device_switch_topic(community, idgrid, "+"),),
        receive=(
            notice_topic(community, idgrid),
            market_topic(community, idgrid),
            device_values_topic(community, idgrid, "+"),
            discovery_topic(community, idgrid),
            device_discovery_topic(community, idgrid, "+"),
            gateway_state_topic(community),
        ),
    )


def oracle_access(community: str) -> Access:
    """An oracle hears readings, which are signed, and says nothing."""
    return Access(publish=(), receive=(_all_devices(community, READING),))


def _all_devices(community: str, leaf: str) -> str:
    return f"{ROOT}/{community}/+/{leaf}"

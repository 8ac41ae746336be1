"""Home Assistants of households at the broker: what is retained for them, and what they switch.

Retained messages are sent again only when they changed, and taken back when a household has a
device no longer, or no longer a home automation; what another process of this gateway had
retained before is heard from the broker itself.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chaincode.energy.idgrid import FORM as IDGRID_FORM
from gateway.errors import RequestRefused
from gateway.hems.home_assistant import Standing, Words, discovery
from gateway.hems.home_assistant_devices import SWITCH_OFF, SWITCH_ON, device_discovery
from gateway.hems.home_devices import HomeDevices
from gateway.hems.own_switching import OwnSwitching
from gateway.mqtt import topics
from gateway.mqtt.refusal_log import RefusalLog
from gateway.mqtt.switch_wishes import SwitchWish, SwitchWishes
from gateway.mqtt.topics import (
    DISCOVERY_PREFIX,
    device_switch_topic,
    device_values_topic,
    market_topic,
)

EVERY_MS = 10_000
"""How often it is looked whether something changed."""
AT_LEAST_ONCE, AT_MOST_ONCE = 1, 0
COMMANDS = (SWITCH_ON.encode(), SWITCH_OFF.encode())


class Standings(Protocol):
    """Where the state comes from; `gateway.hems.home_assistant.StandingSource`."""

    def of(self, idgrid: str) -> Standing:
        """How things stand for a household; blocks."""


@dataclass(frozen=True, slots=True)
class Retained:
    """A message to retain; an empty one takes back what was retained."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class _Place:
    """Whom a discovery is of: a household, or one of its devices."""

    idgrid: str
    device_id: str | None


class HomeAssistants:
    """The discovery and the state of every household that has one. Calls block if not said."""

    def __init__(
        self,
        homes: Sequence[str],
        standings: Standings,
        devices: HomeDevices,
        switching: OwnSwitching,
        *,
        community: str,
        community_name: str,
        words_of: Callable[[str], Words] = lambda _idgrid: str,
    ) -> None:
        """`homes`: the IDgrids of those households; `words_of`: what language each speaks."""
        self._homes = homes
        self._standings = standings
        self._devices = devices
        self._switching = switching
        self._community = community
        self._community_name = community_name
        self._words_of = words_of
        self._sent: dict[str, bytes] = {}
        self._there: dict[str, _Place] = {}
        """Discoveries that the broker retains, by their topic."""
        self._next_ms = 0
        self._wishes = SwitchWishes()
        self._refusals = RefusalLog()
        name = topics.NAME.pattern
        own = re.escape(community)
        self._discovery = re.compile(
            rf"{DISCOVERY_PREFIX}/device/{own}-(?P<home>{IDGRID_FORM})(?:/(?P<device>{name}))?/config"
        )
        self._switch = re.compile(
            device_switch_topic(own, rf"(?P<home>{IDGRID_FORM})", rf"(?P<device>{name})")
        )

    @property
    def subscriptions(self) -> tuple[tuple[str, int], ...]:
        """Filters and their quality of service.

        A command is heard at once or never: one that waited in the broker for a gateway that was
        away would switch when nobody expects it.
        """
        return (
            (f"{DISCOVERY_PREFIX}/device/+/config", AT_LEAST_ONCE),
            (f"{DISCOVERY_PREFIX}/device/+/+/config", AT_LEAST_ONCE),
            (device_switch_topic(self._community, "+", "+"), AT_MOST_ONCE),
        )

    def connected(self) -> None:
        """The connection is new: the broker may have forgotten everything."""
        self._sent, self._there, self._next_ms = {}, {}, 0
        self._wishes = SwitchWishes()  # at once or never

    def changed(self) -> None:
        """Something changed that should be shown soon."""
        self._next_ms = 0

    def is_for_home(self, topic: str) -> bool:
        """Whether a message on this topic belongs to `hear`."""
        is_discovery = topic.startswith(f"{DISCOVERY_PREFIX}/device/")
        return is_discovery or self._switch.fullmatch(topic) is not None

    def hear(self, topic: str, payload: bytes, *, is_retained: bool, now_ms: int) -> bool:
        """Take a message; whether something is to be switched now. Does not block."""
        found = self._discovery.fullmatch(topic)
        if found is not None:
            if payload and topic not in self._there:
                self.changed()  # not of this process: it may have to be taken back
                self._there[topic] = _Place(found["home"], found["device"])
            return False
        asked = self._switch.fullmatch(topic)
        if asked is None:
            return False
        wish = SwitchWish(asked["home"], asked["device"], payload == SWITCH_ON.encode())
        refusal = self._refusal(wish, payload, is_retained=is_retained, now_ms=now_ms)
        if refusal:
            self._refuse(wish, refusal, now_ms)
        return not refusal and self._wishes.is_due(wish, now_ms)

    def _refusal(self, wish: SwitchWish, payload: bytes, *, is_retained: bool, now_ms: int) -> str:
        """Why a wish is not taken, or nothing.

        The broker lets a household publish on its own topics only; the ledger says the rest.
        """
        if is_retained:
            return "retained"
        if payload not in COMMANDS or wish.idgrid not in self._homes:
            return "no command of a home automation"
        return "" if self._wishes.ask(wish, now_ms) else "too many devices at once"

    def _refuse(self, wish: SwitchWish, reason: str, now_ms: int) -> None:
        self._refusals.note(wish.device_id, f"a switch by {wish.idgrid}", reason, now_ms)

    def wishes_due(self, now_ms: int) -> list[SwitchWish]:
        """What to `switch` now; does not block."""
        return self._wishes.due(now_ms)

    def switch(self, wishes: Sequence[SwitchWish], now_ms: int) -> None:
        """Issue the commands; what a household may not is logged."""
        for wish in wishes:
            try:
                self._switching.switch_plug(
                    wish.idgrid, wish.device_id, is_on=wish.is_on, now_ms=now_ms
                )
            except RequestRefused as refused:
                self._refuse(wish, str(refused), now_ms)

    def due(self, now_ms: int) -> list[Retained]:
        """What to publish now."""
        if now_ms < self._next_ms:
            return []
        self._next_ms = now_ms + EVERY_MS
        wanted = dict(self._wanted())
        changed = [Retained(*one) for one in wanted.items() if self._sent.get(one[0]) != one[1]]
        taken_back = self._taken_back(wanted)
        self._sent = wanted
        return changed + taken_back

    def _wanted(self) -> list[tuple[str, bytes]]:
        found = []
        silent = self._devices.silent() if self._homes else ()
        for idgrid in self._homes:
            words = self._words_of(idgrid)
            found.append(discovery(self._community, self._community_name, idgrid, words))
            self._there[found[-1][0]] = _Place(idgrid, None)
            state = self._standings.of(idgrid).message()
            found.append((market_topic(self._community, idgrid), state))
            for device in self._devices.of(idgrid):
                values = self._devices.values(device, silent)
                topic, payload = device_discovery(
                    self._community,
                    idgrid,
                    device,
                    firmware=self._devices.firmware(device),
                    has_signal=values.signal_dbm is not None,
                    words=words,
                )
                self._there[topic] = _Place(idgrid, device.device_id)
                found.append((topic, payload))
                at = device_values_topic(self._community, idgrid, device.device_id)
                found.append((at, values.message()))
        return found

    def _taken_back(self, wanted: dict[str, bytes]) -> list[Retained]:
        """Of what is no longer the household's: the discovery first, then what it pointed to."""
        gone = [
            (topic, place)
            for topic, place in list(self._there.items())  # others hear meanwhile
            if topic not in wanted and self._is_gone(place)
        ]
        found = []
        for topic, place in gone:
            del self._there[topic]
            found += [Retained(topic, b""), Retained(self._state_of(place), b"")]
        return found

    def _is_gone(self, place: _Place) -> bool:
        """Not what the copy of the ledger does not know (yet): it may have to catch up."""
        if place.idgrid not in self._homes:
            return True
        device_id = place.device_id
        return device_id is not None and self._devices.is_anothers(device_id, place.idgrid)

    def _state_of(self, place: _Place) -> str:
        if place.device_id is None:
            return market_topic(self._community, place.idgrid)
        return device_values_topic(self._community, place.idgrid, place.device_id)

"""The home energy data service: what a batch of devices' messages changes, and what is told.

    outcome = service.take(inbox, now_ms)     # one batch; blocks, so call it in a thread
    service.watch(now_ms)                     # every few seconds: who is silent

Alarms are told to `on_alarm`, which must not block for long and must not raise.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.hems.alarms import Alarm, AlarmBook, AlarmKind
from gateway.hems.batteries import BatteryStore, Observation
from gateway.hems.charge_history import ChargeHistory
from gateway.hems.devices import DeviceBook
from gateway.hems.expected import ExpectedDevices
from gateway.hems.links import LinkBook
from gateway.hems.measurements import MeasurementStore
from gateway.hems.sensor_watch import SensorWatch
from gateway.hems.series import Arrival, Kept, SeriesStore
from gateway.hems.switching import SwitchBook
from gateway.hems.transfer_rules import Command, Transfer, TransferState, left_undone
from gateway.hems.transfers import TransferBook
from gateway.hems.waits import LISTENING, WaitBook
from gateway.mqtt.broker_log import SignIn
from gateway.mqtt.device_messages import (
    CLOCK_DOUBTED,
    CLOCK_OK,
    LOST,
    Acknowledgement,
    DeviceState,
    EnergyEvent,
    Measurement,
)
from gateway.mqtt.transfer_notice import TransferNotice

AlarmListener = Callable[[Alarm], None]
MeasurementListener = Callable[[Sequence[Measurement]], None]
MILLIWATTS_PER_WATT = 1_000
GOOD_READINGS_TO_CLEAR = 4
"""So many believed readings in a row end the alarm of one that was set aside; one between two bad
ones would tell its owner of every single one."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Inbox:
    """Messages of one batch, decoded; `refused` counts those that could not be, per device."""

    arrivals: list[Arrival] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    charges: list[tuple[str, Observation]] = field(default_factory=list)
    states: dict[str, DeviceState] = field(default_factory=dict)
    acknowledgements: list[Acknowledgement] = field(default_factory=list)
    events: list[EnergyEvent] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    notices: list[tuple[str, TransferNotice]] = field(default_factory=list)
    """Of transfers, unsigned: the device whose topic it is, and what was said there."""
    sign_ins: list[SignIn] = field(default_factory=list)
    """At the broker, and those it turned away."""

    def tells_of_switching(self, devices: DeviceBook) -> bool:
        """Whether one is switched otherwise than the book has it. A node says it all the time."""
        return any(
            said.plug_on is not None and said.plug_on != _known_on(devices, name)
            for name, said in self.states.items()
        )

    def speakers(self) -> set[str]:
        """Devices that said something that was understood."""
        spoken = {arrival.device_id for arrival in self.arrivals if arrival.signed is not None}
        spoken |= {found.device_id for found in self.measurements}
        spoken |= {found.device_id for found in self.acknowledgements}
        spoken |= {found.device_id for found in self.events}
        spoken |= {battery_id for battery_id, _ in self.charges}
        return spoken


@dataclass(frozen=True, slots=True)
class Stores:
    """Where the service keeps things, all in one database but the newest charges."""

    series: SeriesStore
    measurements: MeasurementStore
    devices: DeviceBook
    alarms: AlarmBook
    transfers: TransferBook
    switches: SwitchBook
    batteries: BatteryStore
    charges: ChargeHistory
    links: LinkBook
    waits: WaitBook


class HemsService:
    """Takes batches, raises and clears alarms."""

    def __init__(
        self,
        stores: Stores,
        *,
        silent_after_ms: int,
        on_alarm: AlarmListener = lambda _: None,
        on_measured: MeasurementListener = lambda _: None,
        is_appliance: Callable[[str], bool] = lambda _: True,
        expected: ExpectedDevices | None = None,
    ) -> None:
        """A device is silent when it was not heard for `silent_after_ms`, if ever.

        Of an appliance the load is watched, of a meter of a whole home it is not.
        """
        self._is_appliance = is_appliance
        self._expected = expected or ExpectedDevices()
        self._on_measured = on_measured
        self.stores = stores
        self._silent_after_ms = silent_after_ms
        self._on_alarm = on_alarm
        self.has_command = asyncio.Event()
        """Set by who issues a command that should not wait for the next look at what is due."""
        self._has_listened = False
        """Until it is told of a broker it takes what it is given as all there is."""
        self._good_in_a_row: Counter[str] = Counter()
        """Of meters, since this process began."""
        self._sensors = SensorWatch(self.interval_ms)

    @property
    def interval_ms(self) -> int:
        """Between two readings of a meter."""
        return self.stores.series.interval_ms

    def take(self, inbox: Inbox, now_ms: int) -> Kept:
        """Store everything of a batch; when this returns it is on disk."""
        stores = self.stores
        kept = stores.series.keep(inbox.arrivals, now_ms)
        self._watch_loads(inbox.measurements, now_ms)
        for device_id, flags in self._sensors.flagged(inbox.measurements, now_ms).items():
            self._raise(AlarmKind.SENSOR, [device_id], flags, now_ms)
        self._clear(AlarmKind.SENSOR, self._sensors.over(inbox.measurements, now_ms), now_ms)
        stores.measurements.keep(inbox.measurements, now_ms)
        self._on_measured(inbox.measurements)
        for battery_id, observation in inbox.charges:
            stores.batteries.record(battery_id, observation)
        stores.charges.keep(inbox.charges, now_ms)
        ended = stores.transfers.note(inbox.acknowledgements, inbox.events, now_ms)
        stores.switches.note(inbox.acknowledgements, inbox.states, now_ms)
        stores.links.note(inbox.sign_ins, now_ms)
        faults = inbox.refused + Counter(arrival.device_id for arrival, _ in kept.set_aside)
        faults += self._refused_notices(inbox.notices)
        speakers = inbox.speakers()
        stores.devices.heard(speakers, now_ms, states=inbox.states, refused=faults)
        self._tell_set_aside(kept, now_ms)
        self._tell_transfers(ended, now_ms)
        doubting = list(_whose_clock_is(CLOCK_DOUBTED, inbox.states))
        self._raise(AlarmKind.CLOCK, doubting, "told a time it does not believe", now_ms)
        self._clear(AlarmKind.CLOCK, _whose_clock_is(CLOCK_OK, inbox.states), now_ms)
        back = speakers | {name for name, said in inbox.states.items() if said.state != LOST}
        self._clear(AlarmKind.SILENT, back, now_ms)
        return kept

    def listening(self, now_ms: int) -> None:
        """The broker is there (again): what nobody could hear before was no device's silence."""
        self._has_listened = True
        self.stores.waits.interrupted()
        self.stores.waits.since_ms(LISTENING, now_ms)

    def watch(self, now_ms: int) -> list[Alarm]:
        """Raise the alarm of every device that fell silent while we listened; once each."""
        waits = self.stores.waits
        never = self._expected.overdue(self.stores.devices, waits, now_ms, self._silent_after_ms)
        since_ms = waits.since_ms(LISTENING, now_ms) if self._has_listened else 0
        if now_ms - since_ms <= self._silent_after_ms:
            return []
        silent = self.stores.devices.silent(now_ms, self._silent_after_ms)
        detail = f"not heard for more than {self._silent_after_ms // 1_000} s"
        return [
            *self._raise(AlarmKind.SILENT, silent, detail, now_ms),
            *self._raise(AlarmKind.SILENT, never, "never heard yet", now_ms),
        ]

    def tampered(self, subjects: list[str], detail: str, now_ms: int) -> None:
        """Stored rows of these series or meters are not what was anchored; told once."""
        self._raise(AlarmKind.TAMPERED, subjects, detail, now_ms)

    def untampered(self, is_concerned: Callable[[str], bool], now_ms: int) -> None:
        """Whatever `is_concerned` names is as it was anchored (again)."""
        standing = self.stores.alarms.standing(kind=AlarmKind.TAMPERED)
        right = {alarm.device_id for alarm in standing if is_concerned(alarm.device_id)}
        self._clear(AlarmKind.TAMPERED, right, now_ms)

    def believed_by_decision(self, meter_id: str, now_ms: int) -> None:
        """Who decided a dispute about readings set aside took the household's side."""
        self._clear(AlarmKind.SET_ASIDE, {meter_id}, now_ms)

    def due(self, now_ms: int) -> list[Command]:
        """Commands to send to nodes now."""
        self._tell_transfers(self.stores.transfers.give_up(now_ms), now_ms)
        return self.stores.switches.due(now_ms) + self.stores.transfers.due(now_ms)

    def _refused_notices(self, heard: Sequence[tuple[str, TransferNotice]]) -> Counter[str]:
        """How many notices, per device, are of no transfer known here; they change nothing."""
        refused: Counter[str] = Counter()
        for device_id, notice in heard:
            refusal = self.stores.transfers.refusal_of(notice)
            if refusal is not None:
                refused[device_id] += 1
                logger.warning("notice on the topic of %s, %s: %s", device_id, refusal, notice)
        return refused

    def _watch_loads(self, measurements: list[Measurement], now_ms: int) -> None:
        for found in measurements:
            usual_mw = self.stores.measurements.irregular(found)
            if usual_mw is not None and not self._is_appliance(found.device_id):
                usual_mw = None
            if usual_mw is not None and found.p_mw is not None:
                watts, usual = (value // MILLIWATTS_PER_WATT for value in (found.p_mw, usual_mw))
                detail = f"{watts} W, usually {usual} W"
                self._raise(AlarmKind.IRREGULAR_LOAD, [found.device_id], detail, now_ms)
            elif found.p_mw is not None:
                self._clear(AlarmKind.IRREGULAR_LOAD, {found.device_id}, now_ms)

    def _tell_set_aside(self, kept: Kept, now_ms: int) -> None:
        for arrival, doubt in kept.set_aside:
            detail = f"{doubt.value}: {arrival.detail or doubt.text}"
            self._raise(AlarmKind.SET_ASIDE, [arrival.device_id], detail, now_ms)
        doubted = {arrival.device_id for arrival, _ in kept.set_aside}
        for meter_id in doubted:
            del self._good_in_a_row[meter_id]
        good = Counter(reading.meter_id for reading in kept.accepted)
        self._good_in_a_row.update({name: good[name] for name in good.keys() - doubted})
        back = {name for name in good if self._good_in_a_row[name] >= GOOD_READINGS_TO_CLEAR}
        self._clear(AlarmKind.SET_ASIDE, back, now_ms)

    def _tell_transfers(self, ended: list[Transfer], now_ms: int) -> None:
        """An alarm for each node that left a transfer undone; its next that is done ends it."""
        for transfer in ended:
            for device_id, reason in left_undone(transfer).items():
                detail = f"{transfer.transfer_id}: {reason}"
                self._raise(AlarmKind.TRANSFER, [device_id], detail, now_ms)
            if transfer.state == TransferState.DONE:
                nodes = {end.device_id for end in transfer.ends}
                self._clear(AlarmKind.TRANSFER, nodes, now_ms)

    def _raise(
        self, kind: AlarmKind, device_ids: list[str], detail: str, now_ms: int
    ) -> list[Alarm]:
        new = self.stores.alarms.raise_once(kind, device_ids, detail, now_ms)
        for alarm in new:
            self._on_alarm(alarm)
        return new

    def _clear(self, kind: AlarmKind, device_ids: set[str], now_ms: int) -> None:
        for alarm in self.stores.alarms.clear(kind, device_ids, now_ms):
            self._on_alarm(alarm)


def _whose_clock_is(word: str, states: Mapping[str, DeviceState]) -> set[str]:
    """Nobody signs the time nodes are told; one that doubts it may be told lies."""
    return {name for name, said in states.items() if said.clock == word}


def _known_on(devices: DeviceBook, device_id: str) -> int | None:
    known = devices.get(device_id)
    return known.plug_on if known is not None else None

"""Puts what the connections' meters measured onto the ledger, at the end of every hour.

The oracle cannot forge a reading: every one carries its meter's signature, which is checked here
against the meter's record on the ledger and again by the contract. It keeps nothing: up to when a
meter is reported the ledger says, so an oracle that was away catches up, one that was killed
reports nothing twice, and those of several members take turns and find done what another did.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Protocol

from chaincode.energy.hours import MINUTE_MS
from chaincode.energy.oracle.records import MeterReading
from chaincode.energy.oracle.reports import READINGS_PER_REPORT_MAX
from chaincode.energy.oracle.signatures import is_signed_by
from chaincode.energy.registry.records import Meter
from gateway.errors import LedgerRefusal
from gateway.ledger_access.refusals import refusal_code
from gateway.oracle.answering import Acting
from gateway.oracle.instants import Choice, ReportTimes, choose
from gateway.oracle.job import RunLog
from gateway.oracle.steps import CHECK_SIGNATURE, ENCODE, FETCH, SUBMIT

LATE_RETRY_MS = MINUTE_MS
"""How often a reading that is given up is looked for: it may come days late."""
METERS_NAMED_MAX = 5
"""In one line of the log."""
LEFT_OUT_KEPT = 10_000

logger = logging.getLogger(__name__)


class ReadingSource(Protocol):
    """Where signed readings come from: a gateway's database, or its HTTP interface."""

    async def since(
        self, recorded: Mapping[str, int], until_ms: int
    ) -> dict[str, list[MeterReading]]:
        """Per meter its readings behind the given instant, up to `until_ms`, in order of time.

        A meter of which nothing is known, or nothing can be learnt now, may lack.
        """


class ReportingNode:
    """One member's oracle identity over the readings it can get."""

    def __init__(
        self,
        actor: Acting,
        source: ReadingSource,
        times: ReportTimes,
        *,
        clock_ms: Callable[[], int],
        log: RunLog,
        mspid: str = "",
    ) -> None:
        """`mspid` is whose oracle it is: it decides on its turn among several."""
        self._actor = actor
        self._source = source
        self._times = times
        self._clock_ms = clock_ms
        self._log = log
        self._mspid = mspid
        self._left_out: dict[MeterReading, None] = {}
        """The ledger refused them; they are not sent again."""
        self._named: set[tuple[str, int]] = set()
        """Meters and instants whose lack was told."""
        self._is_waiting = True
        self._reported_ms = 0
        self._looked = asyncio.Condition()

    async def run(self) -> None:
        """Report for ever; a ledger or a source that does not answer is asked again."""
        while True:
            begun_ms = self._clock_ms()
            try:
                await self.report_due()
            except LedgerRefusal as refusal:
                logger.warning("readings not reported: %s; again later", refusal)
                self._is_waiting = True
            await asyncio.sleep(self._pause_ms(begun_ms) / 1_000)

    async def reported(self, until_ms: int) -> None:
        """Return when everything up to an instant is reported, or not waited for any more."""
        async with self._looked:
            await self._looked.wait_for(lambda: self._reported_ms >= until_ms)

    async def report_due(self) -> int:
        """Report what is due and not recorded yet; returns how many readings were new."""
        now_ms = self._clock_ms()
        until_ms = self._times.instants.newest(now_ms)
        meters, recorded = await self._not_recorded(until_ms, now_ms)
        # Up to now: what follows an instant tells whether something nearer to it is on its way.
        series = await self._source.since(recorded, now_ms) if recorded else {}
        choices = {
            name: self._choice(series.get(name, []), recorded[name], until_ms, now_ms)
            for name in recorded
        }
        title = f"readings until {_shown(until_ms)}"
        found = [reading for choice in choices.values() for reading in choice.readings]
        if found:
            self._log.note(title, FETCH, f"{len(found)} readings of {len(choices)} meters")
        accepted = await self._report_all(title, self._signed(title, meters, found))
        self._tell_missed(title, choices)
        awaited = [one.awaited_ms for one in choices.values() if one.awaited_ms is not None]
        self._is_waiting = bool(awaited)
        # What is awaited may be a later instant than the one somebody waits for in `reported`.
        await self._tell_reported(min(awaited) - 1 if awaited else until_ms)
        return accepted

    async def _tell_reported(self, until_ms: int) -> None:
        async with self._looked:
            self._reported_ms = max(self._reported_ms, until_ms)  # a meter that is new has no past
            self._looked.notify_all()

    async def _not_recorded(
        self, until_ms: int, now_ms: int
    ) -> tuple[dict[str, Meter], dict[str, int]]:
        """Meters of which something is due, and where their readings on the ledger end."""
        meters: dict[str, Meter] = {}
        recorded: dict[str, int] = {}
        after, oldest_ms = "", now_ms - self._times.look_back_ms
        while True:
            page = await self._actor.evaluate("devices:carried_meters", after)
            for entry in page["meters"]:
                meter = Meter(**entry["meter"])
                if entry["recorded_ms"] < until_ms:
                    meters[meter.meter_id] = meter
                    recorded[meter.meter_id] = max(entry["recorded_ms"], oldest_ms)
            after = page["following"]
            if not after:
                return meters, recorded

    def _choice(
        self, series: list[MeterReading], recorded_ms: int, until_ms: int, now_ms: int
    ) -> Choice:
        """Of a meter of which nothing is recorded yet, what was before its first is not missed."""
        usable = [reading for reading in series if reading not in self._left_out]
        oldest_ms = now_ms - self._times.look_back_ms
        if recorded_ms == oldest_ms and usable:
            recorded_ms = usable[0].t_end_ms - 1
        due = self._times.instants.between(recorded_ms, until_ms)
        if recorded_ms == oldest_ms:  # never heard: its alarm is the gateway's
            due = due[-1:]
        return choose(usable, due, self._times, now_ms)

    def _signed(
        self, title: str, meters: Mapping[str, Meter], found: Iterable[MeterReading]
    ) -> list[MeterReading]:
        """Those whose signature is the one the ledger expects, the oldest first."""
        good = []
        for reading in sorted(found, key=lambda one: (one.t_end_ms, one.meter_id)):
            if is_signed_by(meters[reading.meter_id], reading):
                good.append(reading)
            else:
                self._leave_out(title, CHECK_SIGNATURE, reading, "BAD_READING_SIGNATURE")
        if good:
            self._log.note(title, CHECK_SIGNATURE, f"{len(good)} are signed by their meters")
        return good

    async def _report_all(self, title: str, pending: list[MeterReading]) -> int:
        if pending:
            reports = -(-len(pending) // READINGS_PER_REPORT_MAX)
            self._log.note(title, ENCODE, f"{len(pending)} readings in {reports} reports")
        accepted = 0
        for start in range(0, len(pending), READINGS_PER_REPORT_MAX):
            part = pending[start : start + READINGS_PER_REPORT_MAX]
            accepted += await self._report(title, part)
        return accepted

    async def _report(self, title: str, readings: list[MeterReading]) -> int:
        """One report; what the ledger would refuse of it is left out, and why is logged."""
        while readings:
            content = json.dumps([asdict(reading) for reading in readings])
            try:
                done = await self._actor.submit("oracle:report_readings", content)
            except LedgerRefusal as refusal:
                self._log.note(title, SUBMIT, refusal.cause, is_done=False)
                refused = await self._refused(content) if refusal_code(refusal) else {}
                if not refused:
                    raise
                for reading in readings:
                    code = refused.get((reading.meter_id, reading.seq))
                    if code is not None:
                        self._leave_out(title, SUBMIT, reading, code)
                readings = [r for r in readings if (r.meter_id, r.seq) not in refused]
            else:
                new, known = done["accepted"], done["duplicates"]
                self._log.note(title, SUBMIT, f"{new} new, {known} recorded already")
                logger.info("%s: %d new, %d recorded already", title, new, known)
                return int(new)
        return 0

    async def _refused(self, content: str) -> dict[tuple[str, int], str]:
        """Which readings the contract refuses, by meter and number, with its codes."""
        found: list[dict[str, Any]] = await self._actor.evaluate("oracle:check_readings", content)
        return {(one["meter_id"], one["seq"]): one["code"] for one in found}

    def _leave_out(self, title: str, step: str, reading: MeterReading, code: str) -> None:
        detail = f"{reading.meter_id}, seq {reading.seq} left out: {code}"
        self._log.note(title, step, detail, is_done=False)
        logger.warning("%s: %s", title, detail)
        self._left_out[reading] = None
        if len(self._left_out) > LEFT_OUT_KEPT:
            del self._left_out[next(iter(self._left_out))]

    def _tell_missed(self, title: str, choices: Mapping[str, Choice]) -> None:
        """Name every meter and instant without a reading, once."""
        missed = {(name, at_ms) for name, choice in choices.items() for at_ms in choice.missed}
        new = sorted(missed - self._named)
        self._named = missed
        for name, at_ms in new:
            detail = f"no reading of {name} at {_shown(at_ms)}"
            self._log.note(title, FETCH, detail, is_done=False)
        for at_ms in sorted({at_ms for _, at_ms in new}):
            names = [name for name, missed_ms in new if missed_ms == at_ms]
            more = len(names) - METERS_NAMED_MAX
            told = ", ".join(names[:METERS_NAMED_MAX]) + (f" and {more} more" * (more > 0))
            logger.warning("no reading at %s of %s; looked for on", _shown(at_ms), told)

    def _pause_ms(self, begun_ms: int) -> int:
        """Until it may be worth while to look again: soon for what is late, else next time."""
        instants, now_ms = self._times.instants, self._clock_ms()
        following_ms = instants.newest(begun_ms) + instants.every_ms
        following_ms += self._times.turn_ms(self._mspid, following_ms)
        retry_ms = self._times.retry_ms if self._is_waiting else LATE_RETRY_MS
        return max(0, min(following_ms - now_ms, retry_ms))


def _shown(instant_ms: int) -> str:
    at = datetime.fromtimestamp(instant_ms / 1_000, tz=UTC)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")

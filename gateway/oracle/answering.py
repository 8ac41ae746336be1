"""A member's oracle: answers what its member is asked, until it is answered or too late.

It keeps nothing: what is still to be answered it asks the ledger, so a restart neither forgets a
question nor answers one twice (the contract counts one answer a member).
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from chaincode.energy.oracle.records import OracleRequest
from chaincode.energy.registry.records import Meter
from gateway.errors import LedgerRefusal
from gateway.ledger_access.refusals import refusal_code
from gateway.oracle.job import Fetching, JobSpec, RunLog, run_until_submit
from gateway.oracle.steps import CHECK_SIGNATURE, EXPIRE, SUBMIT, JobFailed

POLL_MS = 1_000
AT_ONCE_MAX = 8
GIVEN_UP_KEPT = 10_000
_NOT_NEEDED = frozenset({"ALREADY_FULFILLED", "ALREADY_ANSWERED", "REQUEST_EXPIRED"})
"""Refusals after which nothing is left to do."""

logger = logging.getLogger(__name__)


class Acting(Protocol):
    """An identity on the ledger; `gateway.ledger_access.actor.Actor` is one."""

    async def submit(self, function: str, *args: str) -> Any:
        """Run a function and wait for its block."""

    async def evaluate(self, function: str, *args: str) -> Any:
        """Ask without changing anything."""


class AnsweringNode:
    """One member's oracle identity, its jobs, and the log of what they did."""

    def __init__(
        self,
        actor: Acting,
        specs: list[JobSpec],
        source: Fetching,
        *,
        clock_ms: Callable[[], int],
        log: RunLog,
    ) -> None:
        self._actor = actor
        self._specs = {spec.kind: spec for spec in specs}
        self._source = source
        self._clock_ms = clock_ms
        self._log = log
        self._given_up: dict[str, None] = {}

    async def run(self) -> None:
        """Answer for ever; a ledger that does not answer is asked again."""
        while True:
            try:
                await self.answer_open()
            except LedgerRefusal as refusal:
                logger.warning("open requests: %s", refusal)
            await asyncio.sleep(POLL_MS / 1000)

    async def answer_open(self) -> int:
        """One round over all open requests; returns how many answers were recorded."""
        listed = await self._actor.evaluate("oracle:open_requests")
        asked = [OracleRequest(**entry) for entry in listed]
        slots = asyncio.Semaphore(AT_ONCE_MAX)

        async def one(request: OracleRequest) -> bool:
            async with slots:
                return await self._handle(request)

        done = await asyncio.gather(
            *(one(request) for request in asked if request.request_id not in self._given_up)
        )
        return sum(done)

    async def meter(self, meter_id: str) -> Meter:
        """See `gateway.oracle.job.MeterRecords`."""
        try:
            return Meter(**await self._actor.evaluate("devices:get", meter_id))
        except LedgerRefusal as refusal:
            may_retry = refusal_code(refusal) is None
            raise JobFailed(CHECK_SIGNATURE, refusal.cause, may_retry=may_retry) from refusal

    async def _handle(self, asked: OracleRequest) -> bool:
        """One try; what may work later stays open and comes again in the next round."""
        if self._clock_ms() >= asked.expires_at_ms:
            await self._call(asked, EXPIRE, "oracle:expire", asked.request_id)
            return False
        try:
            value = await run_until_submit(asked, self._specs, self._source, self, self._log)
        except JobFailed as failure:
            self._log.note(asked.request_id, failure.step, failure.detail, is_done=False)
            if not failure.may_retry:
                self._give_up(asked.request_id)
            return False
        return await self._call(asked, SUBMIT, "oracle:answer", asked.request_id, str(value))

    async def _call(self, asked: OracleRequest, step: str, function: str, *args: str) -> bool:
        try:
            await self._actor.submit(function, *args)
        except LedgerRefusal as refusal:
            self._log.note(asked.request_id, step, refusal.cause, is_done=False)
            code = refusal_code(refusal)
            if code is not None and code not in _NOT_NEEDED:
                self._give_up(asked.request_id)
            return False
        self._log.note(asked.request_id, step, function)
        return True

    def _give_up(self, request_id: str) -> None:
        self._given_up[request_id] = None
        if len(self._given_up) > GIVEN_UP_KEPT:
            del self._given_up[next(iter(self._given_up))]

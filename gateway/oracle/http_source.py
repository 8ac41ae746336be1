"""What an oracle reads over HTTP: values for its jobs, and signed readings of meters."""

import asyncio
import logging
from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import httpx

from chaincode.energy.oracle.records import MeterReading
from gateway.hems.series import SIGNED_READINGS_PER_PAGE
from gateway.oracle.signed import reading_from
from gateway.oracle.steps import FETCH, PARSE, JobFailed
from gateway.strict_json import BadJson, parse_strictly

TIMEOUT_S = 5.0
BODY_BYTES_MAX = 64 * 1024
AT_ONCE_MAX = 16
"""Questions to one gateway; it lets an address ask 100 a second."""
_MAY_RETRY = frozenset({409, 425, 429})
"""Answers that may change: the device has not reported yet, or the source is busy."""
_SERVER_ERROR = 500

logger = logging.getLogger(__name__)


class HttpSource:
    """Reads addresses with a limit on time and size; follows no redirects."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, url: str, token: str) -> bytes:
        """See `gateway.oracle.job.Fetching`."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._http.stream("GET", url, headers=headers) as response,
            ):
                if response.status_code != httpx.codes.OK:
                    raise _refused(response.status_code)
                return await _bounded(response)
        except (httpx.HTTPError, TimeoutError) as error:
            detail = str(error) or type(error).__name__
            raise JobFailed(FETCH, detail, may_retry=True) from error


class HttpReadings:
    """Signed readings of meters from a gateway (`/v1/meters/{id}/signed-readings`)."""

    def __init__(self, source: HttpSource, base_url: str, token: str) -> None:
        self._source = source
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._slots = asyncio.Semaphore(AT_ONCE_MAX)

    async def since(
        self, recorded: Mapping[str, int], until_ms: int
    ) -> dict[str, list[MeterReading]]:
        """See `gateway.oracle.reporting.ReadingSource`; what fails is told, and lacks."""
        found: dict[str, list[MeterReading]] = {}
        failed: dict[str, str] = {}

        async def one(meter_id: str, after_ms: int) -> None:
            try:
                async with self._slots:
                    found[meter_id] = await self._all_of(meter_id, after_ms, until_ms)
            except (JobFailed, BadJson) as error:
                failed[meter_id] = str(error)

        await asyncio.gather(*(one(name, after_ms) for name, after_ms in recorded.items()))
        if failed:
            name, why = min(failed.items())
            logger.warning("no readings of %d meters, of %s: %s", len(failed), name, why)
        return found

    async def _all_of(self, meter_id: str, after_ms: int, until_ms: int) -> list[MeterReading]:
        """Page after page; raises `JobFailed` or `BadJson`."""
        url = f"{self._base_url}/v1/meters/{quote(meter_id, safe='')}/signed-readings"
        found: list[MeterReading] = []
        while True:
            last_ms = found[-1].t_end_ms if found else after_ms
            page_url = f"{url}?after_ms={last_ms}&until_ms={until_ms}"
            content = parse_strictly(await self._source.get(page_url, self._token))
            page = _signed_readings(content, meter_id, last_ms, until_ms)
            found += page
            if len(page) < SIGNED_READINGS_PER_PAGE:
                return found


def _signed_readings(
    content: Any, meter_id: str, after_ms: int, until_ms: int
) -> list[MeterReading]:
    """The readings of a page, of this meter and in the order of time; raises `JobFailed`."""
    entries = content.get("readings") if isinstance(content, dict) else None
    if not isinstance(entries, list) or len(entries) > SIGNED_READINGS_PER_PAGE:
        raise JobFailed(PARSE, "there is no page of readings", may_retry=True)
    page = [reading_from(entry, meter_id) for entry in entries]
    times = [after_ms, *(reading.t_end_ms for reading in page)]
    is_in_order = all(before < after for before, after in pairwise(times))
    if not is_in_order or times[-1] > max(after_ms, until_ms):
        raise JobFailed(PARSE, "readings are not in the order of time", may_retry=True)
    return page


def _refused(status: int) -> JobFailed:
    may_retry = status >= _SERVER_ERROR or status in _MAY_RETRY
    return JobFailed(FETCH, f"the source answers {status}", may_retry=may_retry)


async def _bounded(response: httpx.Response) -> bytes:
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > BODY_BYTES_MAX:
            raise JobFailed(FETCH, f"more than {BODY_BYTES_MAX} bytes", may_retry=False)
    return body

"""Copies of the newest values go to cloud channels over HTTPS, as far as their limit allows.

A channel of the ThingSpeak kind has up to eight fields and one address for updates; the key goes
in the body, not in the address. A write that fails counts, since the other side may have counted
it, and its values go with the next one. The answer is the entry's number; 0 says it was not taken.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx

from gateway.database import Database
from gateway.hems.mirror import WRITES_PER_DAY_MAX, CloudMirror
from gateway.mqtt.device_messages import Measurement

FIELDS_MAX = 8
TIMEOUT_S = 10.0
NOT_TAKEN = b"0"
ANSWER_BYTES_MAX = 1_024
"""So much of an answer is looked at."""
EVERY_S = 1.0
QUANTITIES = ("u_mv", "i_ma", "p_mw", "soc_permille", "energy_wh")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MirrorChannel:
    """One channel: `fields` maps `<device>.<quantity>` to the channel's field.

    `account` names whose it is: channels of one account share its writes a day.
    """

    url: str
    api_key: str = field(repr=False)
    fields: Mapping[str, str]
    writes_per_day: int = WRITES_PER_DAY_MAX
    account: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for what would leak the key or break the limit."""
        parts = urlsplit(self.url)
        is_here = parts.scheme == "http" and parts.hostname in _LOOPBACK
        if not parts.hostname or not (parts.scheme == "https" or is_here):
            raise ValueError(f"a cloud channel needs https: {self.url!r}")
        if not 1 <= self.writes_per_day <= WRITES_PER_DAY_MAX:
            raise ValueError(f"a cloud channel takes 1 to {WRITES_PER_DAY_MAX} writes a day")
        if not 1 <= len(self.fields) <= FIELDS_MAX:
            raise ValueError(f"a cloud channel has 1 to {FIELDS_MAX} fields")
        for source in self.fields:
            if source.rpartition(".")[2] not in QUANTITIES:
                raise ValueError(f"{source!r}: a quantity is one of {', '.join(QUANTITIES)}")


class MirrorPush:
    """All channels of a gateway."""

    def __init__(
        self,
        database: Database,
        channels: Mapping[str, MirrorChannel],
        http: httpx.AsyncClient,
        clock_ms: Callable[[], int],
    ) -> None:
        """`channels` by name; the count of writes is kept under it."""
        self._http = http
        self._clock_ms = clock_ms
        of_account = Counter(channel.account for channel in channels.values())
        self._channels = [
            (
                name,
                channel,
                CloudMirror(
                    database,
                    name,
                    account=channel.account,
                    channels_of_account=of_account[channel.account],
                    writes_per_day=channel.writes_per_day,
                ),
            )
            for name, channel in channels.items()
        ]
        self._failing: set[str] = set()

    def note(self, measurements: Sequence[Measurement]) -> None:
        """Newer values of devices; what no channel mirrors is not kept."""
        for found in measurements:
            values = {
                f"{found.device_id}.{name}": value
                for name in QUANTITIES
                if (value := getattr(found, name)) is not None
            }
            for _, channel, mirror in self._channels:
                if wanted := {
                    channel.fields[at]: values[at] for at in values if at in channel.fields
                }:
                    mirror.note(wanted)

    async def run(self) -> None:
        """Write what is due, for ever."""
        while True:
            await self.step()
            await asyncio.sleep(EVERY_S)

    async def step(self) -> int:
        """Write what is due now; how many writes there were, failed ones included."""
        writes = 0
        for name, channel, mirror in self._channels:
            fields = await asyncio.to_thread(mirror.due, self._clock_ms())
            if fields is None:
                continue
            writes += 1
            problem = await self._write(channel, fields)
            if problem:
                mirror.failed()
                if name not in self._failing:
                    logger.warning("cloud channel %s: %s; trying on", name, problem)
                self._failing.add(name)
            else:
                self._failing.discard(name)
        return writes

    async def _write(self, channel: MirrorChannel, fields: Mapping[str, int]) -> str:
        """Why it failed; empty if it did not."""
        body = {"api_key": channel.api_key} | {name: str(fields[name]) for name in fields}
        try:
            async with self._http.stream("POST", channel.url, data=body) as answer:
                if answer.status_code != HTTPStatus.OK:
                    return f"status {answer.status_code}"
                is_taken = await _beginning(answer) != NOT_TAKEN
                return "" if is_taken else "not taken (answer 0)"
        except httpx.HTTPError as error:
            return type(error).__name__


async def _beginning(answer: httpx.Response) -> bytes:
    found = b""
    async for part in answer.aiter_bytes(ANSWER_BYTES_MAX):
        found += part
        if len(found) >= ANSWER_BYTES_MAX:
            break
    return found[:ANSWER_BYTES_MAX].strip()


def mirror_client() -> httpx.AsyncClient:
    """Follows nothing and waits `TIMEOUT_S`."""
    return httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)

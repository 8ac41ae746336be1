"""Takes notices of one channel out of the outbox and hands them to its delivery."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from gateway.cancelling import end_if_cancelled
from gateway.notices.delivery import Delivery
from gateway.notices.outbox import Outbox, OutboxItem, Undelivered

POLL_S = 10.0
"""How soon an attempt that is due again is noticed."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sending:
    """One gateway's share in one channel. Several at once share the work, too."""

    outbox: Outbox
    delivery: Delivery
    clock_ms: Callable[[], int]

    async def run(self, made: asyncio.Event) -> None:
        """For ever: when notices were made, and every `POLL_S` for what is due again."""
        while True:
            made.clear()
            await self.send_due()
            try:
                await asyncio.wait_for(made.wait(), POLL_S)
            except TimeoutError:
                continue

    async def send_due(self) -> int:
        """Try everything that is due; returns how many notices were sent."""
        sent = 0
        while True:
            end_if_cancelled()  # the mail library may end a cancelled attempt as a finished one
            channel, now_ms = self.delivery.channel, self.clock_ms()
            item = await asyncio.to_thread(self.outbox.take, channel, now_ms)
            if item is None:
                return sent
            sent += await self._try(item, now_ms)

    async def _try(self, item: OutboxItem, now_ms: int) -> int:
        try:
            await self.delivery.deliver(item, now_ms)
        except Undelivered as why:
            whom, way = item.notice.idgrid, item.channel
            logger.warning("%s to %s, attempt %d: %s", way, whom, item.attempt, why)
            await asyncio.to_thread(self.outbox.failed, item, str(why), for_good=why.is_final)
            return 0
        await asyncio.to_thread(self.outbox.sent, item)
        return 1

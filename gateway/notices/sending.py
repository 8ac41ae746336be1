"""Takes notices out of the outbox and mails them."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import LedgerRefusal
from gateway.notices.addresses import Addresses
from gateway.notices.book import NoticeBook
from gateway.notices.mail import Letter, Mailer, MailRefused
from gateway.notices.outbox import Outbox, OutboxItem
from gateway.notices.records import Channel, Notice

POLL_S = 10.0
"""How soon an attempt that is due again is noticed."""

Writer = Callable[[Notice, str], Letter]
"""A notice in words of the language with this code."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MailSending:
    """One gateway's share in mailing."""

    book: NoticeBook
    outbox: Outbox
    mailer: Mailer
    addresses: Addresses
    write: Writer
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
        """Try everything that is due; returns how many mails were sent."""
        sent = 0
        while True:
            _end_if_cancelled()
            item = await asyncio.to_thread(self.outbox.take, Channel.EMAIL, self.clock_ms())
            if item is None:
                return sent
            sent += await self._try(item)

    async def _try(self, item: OutboxItem) -> int:
        notice = item.notice
        try:
            address = await self.addresses.address_of(notice.idgrid)
            if address is None:
                await asyncio.to_thread(
                    self.outbox.failed, item, "no address is recorded", for_good=True
                )
                return 0
            choices = await asyncio.to_thread(self.book.choices, notice.idgrid)
            letter = self.write(notice, choices.language or self.mailer.language)
            await self.mailer.send(notice, letter, address)
        except MailRefused as refused:
            logger.warning("mail to %s, attempt %d: %s", notice.idgrid, item.attempt, refused)
            await asyncio.to_thread(
                self.outbox.failed, item, str(refused), for_good=refused.is_final
            )
            return 0
        except LedgerRefusal as refusal:
            logger.warning("address of %s, attempt %d: %s", notice.idgrid, item.attempt, refusal)
            await asyncio.to_thread(self.outbox.failed, item, str(refusal.status))
            return 0
        await asyncio.to_thread(self.outbox.sent, item)
        return 1


def _end_if_cancelled() -> None:
    """The mail library may end a cancelled attempt as a failed or finished one."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError

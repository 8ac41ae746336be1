"""Notices in a running gateway: which tasks its settings ask for."""

import asyncio

from gateway.database import outlasting
from gateway.notices.addresses import PrivateAddresses
from gateway.notices.following import Noticing
from gateway.notices.mail import Mailer
from gateway.notices.outbox import Outbox
from gateway.notices.records import Channel
from gateway.notices.sending import MailSending, Writer
from gateway.ports import Ledger
from gateway.services import Services
from gateway.settings import GatewaySettings


def notice_tasks(
    settings: GatewaySettings, ledger: Ledger, services: Services, write: Writer
) -> list[asyncio.Task[None]]:
    """Making notices, and mailing them if there is a mail server."""
    made = asyncio.Event()
    channels = [Channel.INBOX]
    tasks = []
    if settings.mail is not None and settings.mail_reader is not None:
        channels.append(Channel.EMAIL)
        sending = MailSending(
            book=services.notices,
            outbox=Outbox(services.readmodel.database),
            mailer=Mailer(settings.mail),
            addresses=PrivateAddresses(
                ledger, settings.ledger.chaincode, settings.mail_reader.load()
            ),
            write=write,
            clock_ms=services.clock_ms,
        )
        tasks.append(asyncio.create_task(outlasting(lambda: sending.run(made))))
    noticing = Noticing(services.notices, services.readmodel, services.clock_ms, channels)
    noticing_task = asyncio.create_task(outlasting(lambda: noticing.run(services.blocks, made)))
    return [*tasks, noticing_task]

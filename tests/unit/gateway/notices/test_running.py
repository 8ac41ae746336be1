"""What the gateway starts for notices: they are there with the block, and mailed."""

import asyncio
from dataclasses import replace
from pathlib import Path

from gateway.local_time import fixed
from gateway.notices.mail import MailSettings
from gateway.notices.records import Channel
from gateway.notices.running import notice_tasks
from gateway.notices.ways import NoticeWays
from gateway.services import Services
from gateway.settings import CommunitySettings, GatewaySettings, IdentityFiles, LedgerSettings
from gateway.web.notice_texts import NoticeWriter
from network.certificates.authority import MemberAuthority
from tests.unit.gateway.ledger_double import CHAINCODE, CHANNEL, NOW, services_over
from tests.unit.gateway.notices.smtp_catcher import HOST, Catcher, caught_by
from tests.unit.gateway.notices.told_street import PersonsOnLedger, Street, email_of

ARRIVED_WITHIN_S = 60
MAILS = 8


def reader_files(folder: Path) -> IdentityFiles:
    authority = MemberAuthority.create("CooperativeMSP", "Energy cooperative", now=NOW)
    pair = authority.issue_client("notifier", {"role": "notifier"}, now=NOW)
    files = IdentityFiles("CooperativeMSP", folder / "notifier.crt", folder / "notifier.key")
    files.certificate.write_bytes(pair.certificate_pem)
    files.key.write_bytes(pair.key_pem)
    return files


def settings_of(folder: Path, port: int) -> GatewaySettings:
    reader = reader_files(folder)
    return GatewaySettings(
        host=HOST,
        port=0,
        ledger=LedgerSettings(CHANNEL, CHAINCODE, folder / "ca.pem", ()),
        identity=reader,
        community=CommunitySettings("la-ligua", "La Ligua", 3_600_000, -180),
        mqtt=None,
        links=(),
        database="",
        mail=MailSettings(HOST, port, "notices@street.example", starttls=False),
        mail_reader=reader,
    )


def mailing(services: Services) -> Services:
    """With the inbox and e-mail."""
    return replace(services, notice_ways=NoticeWays((Channel.INBOX, Channel.EMAIL)))


def test_a_running_gateway_tells_and_mails_after_a_block(tmp_path):
    street, catcher = Street(), Catcher()
    services = mailing(services_over(street.ledger.double, readmodel=street.ledger.readmodel))

    async def scene() -> None:
        async with caught_by(catcher) as port:
            tasks = notice_tasks(
                settings_of(tmp_path, port),
                PersonsOnLedger(street.community),
                services,
                NoticeWriter("La Ligua", fixed(-180)),
            )
            await asyncio.to_thread(street.play)
            await services.blocks.announce(street.ledger.readmodel.height)
            async with asyncio.timeout(ARRIVED_WITHIN_S):
                await catcher.has(MAILS)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended)

    asyncio.run(scene())
    receivers = {mail["To"] for mail in catcher.mails}
    assert receivers == {email_of(street.seller), email_of(street.buyer)}
    assert "invitation" in street.kinds(street.buyer)

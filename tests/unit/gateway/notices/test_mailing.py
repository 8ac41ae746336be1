"""Mails to a real SMTP server on this machine that catches them."""

import asyncio
import json
import ssl
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaincode.energy.registry.person_records import checked_email
from chaincode.shim import ContractError
from gateway.local_time import fixed
from gateway.notices.addresses import PrivateAddresses
from gateway.notices.delivery import MailDelivery
from gateway.notices.mail import Mailer, MailSettings
from gateway.notices.outbox import RETRY_MS_MAX, Outbox
from gateway.notices.records import Choices, Kind
from gateway.notices.sending import Sending
from gateway.settings import load_gateway_settings
from gateway.web.notice_texts import NoticeWriter
from network.certificates.gateway_tls import write_gateway_tls
from tests.unit.energy.community import Community
from tests.unit.gateway.ledger_double import CHAINCODE, an_identity
from tests.unit.gateway.notices.smtp_catcher import HOST, Catcher, caught_by
from tests.unit.gateway.notices.told_street import PersonsOnLedger, Street, all_steps, email_of

SENDER = "notices@street.example"
NOT_MAILED_HERE = (Kind.INVITATION, Kind.ALARM, Kind.KEYS, Kind.STATEMENT)
KINDS_MAILED = [kind.value for kind in Kind if kind not in NOT_MAILED_HERE]


def sending(street: Street, settings: MailSettings) -> Sending:
    delivery = MailDelivery(
        book=street.book,
        mailer=Mailer(settings),
        addresses=PrivateAddresses(PersonsOnLedger(street.community), CHAINCODE, an_identity()),
        writer=NoticeWriter("La Ligua", fixed(-180)),
    )
    return Sending(Outbox(street.book.database), delivery, lambda: street.now_ms)


@pytest.fixture
def street() -> Street:
    found = Street()
    found.play()
    all_steps(found.noticing())
    return found


def plain(port: int) -> MailSettings:
    return MailSettings(HOST, port, SENDER, starttls=False)


@pytest.mark.row("E130")
def test_every_kind_is_mailed_once_to_the_address_in_the_private_data(street):
    """A buy call, a sell call, a match, a settlement and a stop; sending again sends nothing."""
    catcher = Catcher()

    async def scene() -> None:
        async with caught_by(catcher) as port:
            first = await sending(street, plain(port)).send_due()
            street.now_ms += RETRY_MS_MAX
            assert (first, await sending(street, plain(port)).send_due()) == (8, 0)

    asyncio.run(scene())
    for home, call in ((street.seller, "buy_call"), (street.buyer, "sell_call")):
        own = [mail for mail in catcher.mails if mail["To"] == email_of(home)]
        kinds = Counter(mail["Message-ID"][1:].partition(".")[0] for mail in own)
        assert kinds == {kind: 1 for kind in KINDS_MAILED if "call" not in kind} | {call: 1}
        assert {mail["From"] for mail in own} == {SENDER}
        settlement = next(mail for mail in own if mail["Message-ID"].startswith("<settlement"))
        assert settlement["Subject"] == "La Ligua: Energy is settled"
        assert "15 Jan 07:00 (2026-01-15T10): 8.00 kWh" in settlement.get_content()
        match = next(mail for mail in own if mail["Message-ID"].startswith("<match"))
        sides = [side for side in ("you sell", "you buy") if side in match.get_content()]
        assert len(sides) == 1, match.get_content()


def test_mails_are_in_the_language_the_household_chose(street):
    street.book.choose(street.seller.idgrid, Choices(language="pt"))
    catcher = Catcher()

    async def scene() -> None:
        async with caught_by(catcher) as port:
            settings = MailSettings(HOST, port, SENDER, starttls=False, language="es")
            await sending(street, settings).send_due()

    asyncio.run(scene())
    for home, title in ((street.seller, "liquidada"), (street.buyer, "está liquidada")):
        subjects = [mail["Subject"] for mail in catcher.mails if mail["To"] == email_of(home)]
        assert any(title in subject for subject in subjects)
    texts = {mail["To"]: mail.get_content() for mail in catcher.mails}
    assert "Na página da sua conta" in texts[email_of(street.seller)]
    assert "En la página de su cuenta" in texts[email_of(street.buyer)]


def test_mail_goes_through_tls_that_our_authority_vouches_for(street, tmp_path):
    files = write_gateway_tls(tmp_path, [HOST], now=datetime.now(tz=UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files["certificate"], files["key"])
    trusted, catcher = Path(files["ca"]), Catcher()

    async def scene() -> None:
        async with caught_by(catcher, context) as port:
            stranger = MailSettings(HOST, port, SENDER)
            assert await sending(street, stranger).send_due() == 0
            assert catcher.mails == []
            street.now_ms += RETRY_MS_MAX
            known = MailSettings(HOST, port, SENDER, ca=trusted)
            assert await sending(street, known).send_due() == 8

    asyncio.run(scene())
    assert {mail["X-Was-TLS"] for mail in catcher.mails} == {"True"}


@pytest.mark.parametrize(
    ("answer", "is_tried_again"),
    [("451 not now", True), ("550 no such mailbox", False)],
)
def test_what_the_server_refuses_for_good_is_not_tried_again(street, answer, is_tried_again):
    catcher = Catcher(answer)

    async def scene() -> int:
        async with caught_by(catcher) as port:
            assert await sending(street, plain(port)).send_due() == 0
            street.now_ms += RETRY_MS_MAX
            catcher.answer = "250 OK"
            return await sending(street, plain(port)).send_due()

    assert asyncio.run(scene()) == (8 if is_tried_again else 0)


def test_a_server_that_is_away_is_asked_again_later(street):
    async def scene() -> int:
        async with caught_by(Catcher()) as port:
            pass
        assert await sending(street, plain(port)).send_due() == 0
        street.now_ms += RETRY_MS_MAX
        async with caught_by(Catcher()) as port:
            return await sending(street, plain(port)).send_due()

    assert asyncio.run(scene()) == 8


def test_who_has_no_address_gets_no_mail(street):
    catcher = Catcher()

    async def scene() -> None:
        async with caught_by(catcher) as port:
            unknown = PersonsOnLedger(Community.found())
            addresses = PrivateAddresses(unknown, CHAINCODE, an_identity())
            mailing = sending(street, plain(port))
            unknowing = replace(mailing.delivery, addresses=addresses)
            assert await replace(mailing, delivery=unknowing).send_due() == 0
            street.now_ms += RETRY_MS_MAX
            assert await sending(street, plain(port)).send_due() == 0

    asyncio.run(scene())
    assert catcher.mails == []


@pytest.mark.parametrize(
    "address",
    [
        "ana@coop.example,",
        "ana,x@coop.example",
        "x:ana@coop.example",
        "<ana@coop.example>",
        '"ana@coop.example',
        "(ana@coop.example",
        "ana@coop..example",
        ".ana@coop.example",
    ],
)
def test_an_address_that_is_not_one_mailbox_gets_nothing_and_the_others_their_mail(
    street, address
):
    """As an earlier contract recorded it: what a header's parser makes of it is nobody's wish."""
    with pytest.raises(ContractError):
        checked_email(address)
    catcher = Catcher()

    class Addresses(PrivateAddresses):
        async def address_of(self, idgrid: str) -> str | None:
            is_odd = idgrid == street.seller.idgrid
            return address if is_odd else await super().address_of(idgrid)

    async def scene() -> None:
        async with caught_by(catcher) as port:
            odd = Addresses(PersonsOnLedger(street.community), CHAINCODE, an_identity())
            mailing = sending(street, plain(port))
            mailing = replace(mailing, delivery=replace(mailing.delivery, addresses=odd))
            assert await mailing.send_due() == 4
            street.now_ms += RETRY_MS_MAX
            assert await mailing.send_due() == 0

    asyncio.run(scene())
    assert {mail["To"] for mail in catcher.mails} == {email_of(street.buyer)}


@pytest.mark.parametrize(
    ("host", "starttls", "is_taken"),
    [("127.0.0.1", False, True), ("mail.example", True, True), ("mail.example", False, False)],
)
def test_mail_to_other_machines_is_encrypted(tmp_path, host, starttls, is_taken):
    reader = {"mspid": "CoopMSP", "certificate": "/c", "key": "/k"}
    mail = {"host": host, "port": 25, "starttls": starttls, "sender": SENDER, "reader": reader}
    path = tmp_path / "gateway.json"
    path.write_text(
        json.dumps(
            {
                "host": HOST,
                "port": 0,
                "ledger": {"channel_id": "c", "chaincode": "c", "tls_ca": "/t", "peers": []},
                "identity": reader,
                "community": {"id": "c", "name": "C", "hour_ms": 1, "utc_offset_minutes": 0},
                "mail": mail,
            }
        )
    )
    if is_taken:
        settings = load_gateway_settings(path)
        assert settings.mail == MailSettings(host, 25, SENDER, starttls=starttls)
        assert settings.mail_reader is not None
    else:
        with pytest.raises(ValueError, match="starttls"):
            load_gateway_settings(path)

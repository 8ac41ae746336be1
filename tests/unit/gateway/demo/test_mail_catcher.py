"""The demo's mailbox: real mails over SMTP become files."""

import asyncio
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import pytest

from gateway.demo.mail_catcher import HOST, MAIL_BYTES_MAX, caught_on
from network.ports import free_port_range


def letter(message_id: str, body: str = "hello") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "notices@fontana.example"
    message["To"] = "home-01@fontana.example"
    message["Subject"] = "You have a match"
    message["Message-ID"] = message_id
    message.set_content(body)
    return message


def test_each_mail_is_a_file_and_no_name_leaves_the_folder(tmp_path):
    async def play() -> None:
        port = free_port_range(1)
        async with caught_on(port, tmp_path / "mail") as catcher:
            for name in ("<match.33.0.FON-0003-X@fontana.example>", "<../../x/y@z>"):
                await aiosmtplib.send(letter(name), hostname=HOST, port=port, start_tls=False)
            assert catcher.count == 2
            with pytest.raises(aiosmtplib.SMTPResponseException):
                await aiosmtplib.send(
                    letter("<big@z>", "x\n" * MAIL_BYTES_MAX),
                    hostname=HOST,
                    port=port,
                    start_tls=False,
                )

    asyncio.run(play())
    found = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.eml"))
    assert found == [
        Path("mail/0001-match.33.0.FON-0003-X.eml"),
        Path("mail/0002-x-y.eml"),
    ]
    assert "hello" in (tmp_path / found[0]).read_text()

"""E-mail by SMTP (RFC 5321), with STARTTLS unless the server is on this machine."""

import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib

from chaincode.energy.registry.person_records import is_mailbox
from gateway.notices.outbox import Undelivered
from gateway.notices.records import Notice

SMTP_TIMEOUT_S = 30.0
"""Of each step; shorter than the outbox's first pause."""
PERMANENT_FROM = 500
"""SMTP answers from here on are final."""


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The mail server. `password_file` holds the password of `username`, if it wants one."""

    host: str
    port: int
    sender: str
    starttls: bool = True
    ca: Path | None = None
    """The server's authority, if it is none that this machine trusts anyway."""
    username: str = ""
    password_file: Path | None = None
    language: str = "en"
    """Of mails to households that chose none."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice in words."""

    subject: str
    body: str


class Mailer:
    """Sends one letter at a time, each through a connection of its own."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._tls = ssl.create_default_context(cafile=settings.ca) if settings.starttls else None
        password = settings.password_file
        self._password = password.read_text().strip() if password else None

    @property
    def language(self) -> str:
        """Of mails to households that chose none."""
        return self._settings.language

    async def send(self, notice: Notice, letter: Letter, address: str) -> None:
        """Hand a letter to the server; raises `Undelivered`."""
        if not is_mailbox(address):  # recorded by an earlier contract, whose rule was wider
            raise Undelivered("the recorded address is not one mailbox", is_final=True)
        settings = self._settings
        try:
            await aiosmtplib.send(
                self._message(notice, letter, address),
                hostname=settings.host,
                port=settings.port,
                start_tls=settings.starttls,
                tls_context=self._tls,
                username=settings.username or None,
                password=self._password,
                timeout=SMTP_TIMEOUT_S,
            )
        except aiosmtplib.SMTPResponseException as refusal:
            final = refusal.code >= PERMANENT_FROM
            raise Undelivered(f"{refusal.code} {refusal.message}", is_final=final) from refusal
        except aiosmtplib.SMTPRecipientsRefused as refusal:
            codes = [recipient.code for recipient in refusal.recipients]
            final = all(code >= PERMANENT_FROM for code in codes)
            raise Undelivered(f"recipient refused: {codes}", is_final=final) from refusal
        except (aiosmtplib.SMTPException, OSError) as failure:
            # Addresses and names of the server may stand in the text; the kind is enough.
            raise Undelivered(type(failure).__name__, is_final=False) from failure

    def _message(self, notice: Notice, letter: Letter, address: str) -> EmailMessage:
        """The same notice has the same Message-ID: a mail that came twice is recognised."""
        domain = self._settings.sender.rpartition("@")[2]
        message = EmailMessage()
        message["From"] = self._settings.sender
        message["To"] = address
        message["Subject"] = letter.subject
        message["Message-ID"] = f"<{notice.name}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.body)
        return message

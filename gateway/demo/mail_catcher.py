"""A mail server for the demo: keeps each mail as a file, so that one can read what was sent."""

import asyncio
import email
import email.policy
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP

HOST = "127.0.0.1"
MAIL_BYTES_MAX = 64 * 1_024
NAME_CHARACTERS_MAX = 80
FOLDER_MODE = 0o700
_OTHER = re.compile(r"[^A-Za-z0-9._-]+")


class MailCatcher:
    """Numbers mails as they come: `0001-settlement.57.0.FON-0001-2.eml`."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made if it is not there."""
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        self._folder = folder
        self.count = 0

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a mail and take it."""
        raw = envelope.content
        self.count += 1
        (self._folder / f"{self.count:04}-{_name_of(raw)}.eml").write_bytes(raw)
        return "250 OK"


def _name_of(raw: bytes) -> str:
    """The notice's name out of the Message-ID, safe as a file's name."""
    message_id = str(email.message_from_bytes(raw, policy=email.policy.default)["Message-ID"])
    return (
        _OTHER.sub("-", message_id.partition("@")[0]).strip("-.")[:NAME_CHARACTERS_MAX] or "mail"
    )


@asynccontextmanager
async def caught_on(port: int, folder: Path) -> AsyncIterator[MailCatcher]:
    """Takes mail on this port of this machine while it lasts."""
    catcher, loop = MailCatcher(folder), asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(catcher, data_size_limit=MAIL_BYTES_MAX, loop=loop)

    server = await loop.create_server(protocol, HOST, port)
    try:
        yield catcher
    finally:
        server.close()
        await server.wait_closed()

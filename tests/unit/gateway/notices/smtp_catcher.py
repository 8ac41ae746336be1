"""A real SMTP server on this machine that keeps what it is sent."""

import asyncio
import email
import email.policy
import ssl
from contextlib import asynccontextmanager
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP

HOST = "127.0.0.1"


class Catcher:
    """Keeps what it is sent; `answer` to every recipient."""

    def __init__(self, answer: str = "250 OK") -> None:
        self.mails: list[EmailMessage] = []
        self.answer = answer
        self._arrived = asyncio.Condition()

    async def has(self, count: int) -> None:
        """Return when so many mails are here."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.mails) >= count)

    async def handle_RCPT(self, _server, _session, envelope, address, _options) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, _server, session, envelope) -> str:  # noqa: N802
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        parsed["X-Was-TLS"] = str(session.ssl is not None)
        async with self._arrived:
            self.mails.append(parsed)
            self._arrived.notify_all()
        return "250 OK"


@asynccontextmanager
async def caught_by(catcher: Catcher, tls: ssl.SSLContext | None = None):
    """The port of a server; with `tls` it insists on STARTTLS."""
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(catcher, tls_context=tls, require_starttls=tls is not None, loop=loop)

    server = await loop.create_server(protocol, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()

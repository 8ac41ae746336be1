"""Opening pages as a browser would, without one."""

import asyncio
import itertools
from dataclasses import dataclass

import httpx

from gateway.application import create_app
from gateway.identity.sessions import Viewer
from gateway.services import Services

_numbers = itertools.count()


@dataclass(frozen=True)
class Visitor:
    """Somebody before the gateway; `token` is empty for who is not signed in."""

    services: Services
    token: str = ""

    def get(self, path: str, *, language: str = "en") -> httpx.Response:
        """A page in a language; redirects are not followed."""
        return asyncio.run(self._get(path, language))

    async def _get(self, path: str, language: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=create_app(self.services))
        headers = {"accept": "text/html", "accept-language": language}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost", headers=headers
        ) as client:
            return await client.get(path)


def visiting(
    services: Services, idgrid: str | None = None, *, is_manager: bool = False
) -> Visitor:
    """A visitor; a household with `idgrid`, or the manager."""
    if idgrid is None:
        return Visitor(services)
    token = f"token-{next(_numbers)}"
    services.sessions.admit(token, Viewer(idgrid, is_manager))
    return Visitor(services, token)

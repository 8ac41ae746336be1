"""Which names this gateway answers to: another site's name for our address is not ours.

A page of a stranger could otherwise have its own name point here and read answers as its own.
"""

from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.limits import refuse
from gateway.errors import Problem

HEAD_BYTES_MAX = 16 * 1024
HTTP_VERSIONS = ("1.0", "1.1")
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - recognised here, not listened on


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """Names without ports, lower case; none allows every name."""

    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, listens_on: str, further: tuple[str, ...] = ()) -> "AllowedHosts":
        """Of a listener; one on all addresses has no name of its own, so it needs `further`."""
        if listens_on in ANY_ADDRESS and not further:
            return cls()
        return cls(frozenset(name.lower() for name in (listens_on, *LOCAL_NAMES, *further)))

    def allows(self, host: bytes) -> bool:
        """Whether a `Host` header names this gateway."""
        name = host.decode("latin-1").lower()
        if not name.endswith("]"):
            name = name.rpartition(":")[0] or name
        return not self.names or name in self.names


class HostCheck:
    """ASGI middleware: refuses requests for other names, and those with two or none."""

    def __init__(self, app: ASGIApp, *, hosts: AllowedHosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on if it is meant for us and has one reading."""
        if scope["type"] == "http":
            wrong = self._wrong(scope["http_version"], scope["headers"])
            if wrong:
                await refuse(scope, send, Problem.MALFORMED, wrong, {"Connection": "close"})
                return
        await self._app(scope, receive, send)

    def _wrong(self, version: str, headers: list[tuple[bytes, bytes]]) -> str:
        if version not in HTTP_VERSIONS:
            return f"HTTP/{version} is not spoken here"
        if sum(len(name) + len(value) for name, value in headers) > HEAD_BYTES_MAX:
            return f"headers have at most {HEAD_BYTES_MAX} bytes"
        names = [name for name, _ in headers]
        if b"content-length" in names and b"transfer-encoding" in names:
            return "a body has a length or is chunked, not both"
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1 or not self._hosts.allows(hosts[0]):
            return "this gateway does not answer to that host name"
        return ""

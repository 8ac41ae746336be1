"""Requests to addresses that others named: public, encrypted, bounded, not led elsewhere.

A household could otherwise let the gateway call what only the gateway can reach. So the address is
judged where the connection is made, after its name is resolved, and no redirect is followed.
"""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from pathlib import Path
from urllib.parse import urlsplit

import httpcore

REQUEST_TIMEOUT_S = 10.0
"""From looking the name up to the head of the answer; shorter than the outbox's first pause."""
URL_CHARACTERS_MAX = 500
LOOPBACK_NAME = "localhost"
DEFAULT_PORTS = {"https": 443, "http": 80}
_CARRYING_IPV4 = ip_network("64:ff9b::/96")
"""NAT64: the last 32 bits are the address that is reached in the end."""
_CALL_FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class AddressRefused(Exception):  # noqa: N818 - the address is wrong, not we
    """This gateway does not call this address."""


class CallFailed(Exception):  # noqa: N818 - the other side's fault
    """No answer: not reached, not trusted, broken off or too slow."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be called: public addresses, and the networks that the operator named."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Reach":
        """From the settings; raises ValueError for what is no network."""
        return cls(tuple(ip_network(text) for text in texts))

    def allows(self, text: str) -> bool:
        """Whether this numeric address may be called."""
        address = _reached(ip_address(text))
        if any(address in network for network in self.networks):
            return True
        return address.is_global and not address.is_multicast

    def check(self, url: str) -> None:
        """Raise `AddressRefused` for an address that is refused whatever its name resolves to."""
        if len(url) > URL_CHARACTERS_MAX or not url.isascii() or not url.isprintable():
            raise AddressRefused(f"an address has at most {URL_CHARACTERS_MAX} ASCII characters")
        try:
            parts = urlsplit(url)
            host, _port = parts.hostname or "", parts.port
        except ValueError as error:
            raise AddressRefused("this is no address") from error
        if parts.scheme not in DEFAULT_PORTS or not host or " " in url:
            raise AddressRefused("an address begins with https://")
        if parts.username is not None or parts.fragment:
            raise AddressRefused("an address has no user name and no fragment")
        numeric = _numeric(host)
        if parts.scheme == "http" and not self._is_loopback(host, numeric):
            raise AddressRefused("an address begins with https://")
        if numeric is not None and not self.allows(host):
            raise AddressRefused("this address is not public")

    def _is_loopback(self, host: str, numeric: Address | None) -> bool:
        if host == LOOPBACK_NAME:
            return self.allows("127.0.0.1")
        return numeric is not None and numeric.is_loopback and self.allows(host)


def _numeric(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _reached(address: Address) -> Address:
    """The IPv4 address that an IPv6 one carries, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _CARRYING_IPV4:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    carried = address.ipv4_mapped or address.sixtofour
    return carried or (address.teredo[1] if address.teredo else address)


class OutsideHttp:
    """Posts to addresses within `reach`; each request is a connection of its own."""

    def __init__(self, reach: Reach, ca: Path | None = None) -> None:
        """`ca`: an authority beside those this machine trusts."""
        self.reach = reach
        self._tls = ssl.create_default_context()
        if ca is not None:
            self._tls.load_verify_locations(ca)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer, whose body nobody reads.

        Raises `AddressRefused` and `CallFailed`; takes at most `REQUEST_TIMEOUT_S`.
        """
        self.reach.check(url)
        try:
            async with (
                asyncio.timeout(REQUEST_TIMEOUT_S),
                httpcore.AsyncConnectionPool(
                    ssl_context=self._tls, network_backend=_Judging(self.reach)
                ) as pool,
                pool.stream("POST", url, headers=list(headers.items()), content=body) as answer,
            ):
                return int(answer.status)
        except (*_CALL_FAILURES, TimeoutError, OSError) as error:
            # What the other side says may stand in the text; the kind is enough.
            raise CallFailed(type(error).__name__) from error


class _Judging(httpcore.AsyncNetworkBackend):
    """Looks a name up itself, judges every address, and connects to nothing else."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of the name, if all of them are within reach."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port)
        except UnicodeError as error:
            raise AddressRefused("this is no address") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not addresses or not all(self._reach.allows(address) for address in addresses):
            raise AddressRefused("this address is not public")
        return await self._network.connect_tcp(
            addresses[0], port, timeout, local_address, socket_options
        )

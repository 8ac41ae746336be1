"""What the broker's log tells of sign-ins: who connected from where, who was turned away. Pure.

Mosquitto publishes its notices on `$SYS/broker/log/N` (`log_dest topic`); the embedded broker
tells the same in the same words. Mosquitto 2.0 names whom it lets in, but of a refused client
only the address, lines before: `New connection from 192.168.4.9:51844 on port 8883.`
"""

import re
from collections import OrderedDict
from dataclasses import dataclass

LINE_BYTES_MAX = 1_024
OPENED_MAX = 1_000
"""Connections that have not signed in yet and are remembered; the oldest are forgotten first."""
UNKNOWN = "<unknown>"
_STAMP = r"(?:\d{1,12}: )?"
_PLACE = r"(?P<address>[0-9a-fA-F.:]{2,45}):(?P<port>\d{1,5})"
_OPENED = re.compile(rf"{_STAMP}New connection from {_PLACE} on port \d{{1,5}}\.")
_SIGNED_IN = re.compile(
    rf"{_STAMP}New client connected from {_PLACE} as (?P<name>\S{{1,64}}) \(.*"
)
_TURNED_AWAY = re.compile(
    rf"{_STAMP}Client (?P<name>\S{{1,64}})(?: \[{_PLACE}\])? disconnected(?P<why>[,:].*)"
)
_NO_TLS = re.compile(
    rf"{_STAMP}Client connection from (?P<address>[0-9a-fA-F.:]{{2,45}}) failed: .*"
)
_REFUSED = "not authorised"


@dataclass(frozen=True, slots=True)
class SignIn:
    """Somebody signed in, or tried to; `name` or `address` is empty where the log does not say."""

    name: str
    address: str
    is_refused: bool


class BrokerLog:
    """Puts the lines of one connection together."""

    def __init__(self) -> None:
        self._opened: OrderedDict[tuple[str, str], None] = OrderedDict()

    def read(self, raw: bytes) -> SignIn | None:
        """The sign-in a line completes; None for any other line."""
        text = raw[:LINE_BYTES_MAX].decode("utf-8", errors="replace").strip()
        if found := _OPENED.fullmatch(text):
            self._opened[found["address"], found["port"]] = None
            if len(self._opened) > OPENED_MAX:
                self._opened.popitem(last=False)
            return None
        if found := _SIGNED_IN.fullmatch(text):
            self._opened.pop((found["address"], found["port"]), None)
            return SignIn(found["name"], found["address"], is_refused=False)
        if found := _NO_TLS.fullmatch(text):
            return SignIn("", found["address"], is_refused=True)
        found = _TURNED_AWAY.fullmatch(text)
        if found is None:
            return None
        if found["name"] == UNKNOWN:
            return SignIn("", self._only_address(), is_refused=True)
        if _REFUSED not in found["why"]:
            return None
        return SignIn(found["name"], found["address"] or "", is_refused=True)

    def _only_address(self) -> str:
        """Of the oldest connection that did not sign in; empty if it could be another's."""
        addresses = {address for address, _ in self._opened}
        if self._opened:
            self._opened.popitem(last=False)
        return addresses.pop() if len(addresses) == 1 else ""


def sign_in_line(name: str, address: str, port: int) -> bytes:
    """As a broker tells that it let a client in."""
    return f"New client connected from {address}:{port} as {name} (p2).".encode()


def refusal_line(name: str, address: str, port: int) -> bytes:
    """As a broker tells that it refused a client by name."""
    return f"Client {name} [{address}:{port}] disconnected: {_REFUSED}.".encode()

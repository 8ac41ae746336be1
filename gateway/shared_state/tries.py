"""How often one address may try secrets: counted in the database, so for all gateways together.

A name has its own count (`gateway.identity.passwords`); this one is for who tries many names, or
codes. What fits gives its try back, so that people behind one address do not add up.
"""

import ipaddress
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import case, delete, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database import Database
from gateway.errors import Problem, RequestRefused
from gateway.shared_state.tables import TryRow
from ledger.crypto.hashing import sha256

TRIES_MAX = 30
"""Wrong secrets of one address in a window."""
WINDOW_MS = 10 * 60 * 1000
IPV6_NETWORK_BITS = 64
"""What one household or server has of addresses; they count as one."""


class Tries:
    """See `TryRow`; calls block."""

    def __init__(self, database: Database, clock_ms: Callable[[], int]) -> None:
        self._database = database
        self._clock_ms = clock_ms

    @contextmanager
    def of(self, address: str) -> Iterator[None]:
        """A try of a secret, which stays counted if the block raises; 429 beyond the limit."""
        who_hash = sha256(network_of(address).encode())
        self._count(who_hash)
        yield
        with self._database.writing() as connection:
            one_less = update(TryRow).where(TryRow.who_hash == who_hash, TryRow.tries > 0)
            connection.execute(one_less.values(tries=TryRow.tries - 1))

    def _count(self, who_hash: bytes) -> None:
        """Count before the secret is looked at: tries side by side cannot outrun the limit."""
        now_ms = self._clock_ms()
        kinds: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
        is_over = TryRow.begun_ms <= now_ms - WINDOW_MS
        with self._database.writing() as connection:
            connection.execute(delete(TryRow).where(TryRow.begun_ms <= now_ms - 2 * WINDOW_MS))
            counted = (
                kinds[connection.dialect.name](TryRow)
                .values(who_hash=who_hash, begun_ms=now_ms, tries=1)
                .on_conflict_do_update(
                    index_elements=["who_hash"],
                    set_={
                        "begun_ms": case((is_over, now_ms), else_=TryRow.begun_ms),
                        "tries": case((is_over, 1), else_=TryRow.tries + 1),
                    },
                )
                .returning(TryRow.tries, TryRow.begun_ms)
            )
            tries, begun_ms = connection.execute(counted).one()
        if tries > TRIES_MAX:
            wait_s = math.ceil((begun_ms + WINDOW_MS - now_ms) / 1000)
            raise RequestRefused(
                Problem.TOO_MANY_REQUESTS,
                "too many wrong secrets from this address",
                headers={"Retry-After": str(max(1, wait_s))},
            )


def network_of(address: str) -> str:
    """The address, of IPv6 its network; what is no address stands for itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_NETWORK_BITS), strict=False))

"""Settling a listing of any size: decide, pay all pages side by side, end.

Every step may be repeated by anybody who runs the market; the contract does each once.
"""

import asyncio
from typing import Any, Protocol

PAYING, SETTLED, DISPUTED = "PAYING", "SETTLED", "DISPUTED"


class Submits(Protocol):
    """Someone who may run the market, such as `gateway.ledger_access.actor.Actor`."""

    async def submit(self, function: str, *args: str) -> Any:
        """Run a function, wait for its block, give the contract's answer."""

    async def submit_unless(self, done_already: str, function: str, *args: str) -> Any:
        """`submit`; None if the contract refuses with this code."""


async def settle_listing(actor: Submits, listing_id: str) -> str:
    """SETTLED once every page is paid; DISPUTED while readings are missing after their time.

    Raises `LedgerRefusal` with READINGS_MISSING while there is time to wait for them.
    """
    record = await _step(actor, listing_id)
    while record["state"] == PAYING:
        pages = range(record["pages"])
        await asyncio.gather(
            *(actor.submit("settlement:pay_page", listing_id, str(page)) for page in pages)
        )
        record = await _step(actor, listing_id)
    return str(record["state"])


async def _step(actor: Submits, listing_id: str) -> dict[str, Any]:
    record = await actor.submit_unless("ALREADY_SETTLED", "market:settle", listing_id)
    return record or {"state": SETTLED}

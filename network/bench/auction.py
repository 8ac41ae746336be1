"""Closing and clearing one listing on a running network, as its operator does it.

A large book is tallied, decided and released in pages (docs/market.md, "Large books"): the
contract says which calls are due, and all of them are sent at once.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.client.gateway import GatewayClient
from ledger.crypto.signing import SigningIdentity
from network.bench.trial_households import CHAINCODE
from network.running.process_usage import spending


@dataclass(frozen=True, slots=True)
class ClearedBook:
    """What clearing took, from the call that closes the bidding until the state CLEARED.

    `cpu_s`: of all validators, their contracts and this client together.
    """

    orders: int
    matched_wh: int
    pages: int
    transactions: int
    close_s: float
    decide_s: float
    total_s: float
    cpu_s: float


async def close_and_clear(
    client: GatewayClient,
    operator: SigningIdentity,
    listing_id: str,
    *,
    processes: Sequence[int] = (),
) -> ClearedBook:
    """Close a listing whose gate has closed, and clear it; raises what the client raises.

    `processes`: ids of the validators, whose CPU time is counted.
    """
    spent = spending(processes)
    await client.submit_transaction(operator, CHAINCODE, "market:close_bidding", listing_id)
    close_s = spent().wall_s
    decide_s, transactions = 0.0, 1
    while calls := await _evaluated(client, operator, "auction:steps", listing_id):
        await asyncio.gather(
            *(client.submit_transaction(operator, CHAINCODE, *call) for call in calls)
        )
        transactions += len(calls)
        if not decide_s and calls[0][0] == "market:clear":
            decide_s = spent().wall_s
    total = spent()
    result = await _evaluated(client, operator, "market:get_result", listing_id)
    return ClearedBook(
        orders=result["offer_count"] + result["bid_count"],
        matched_wh=result["quantity_wh"],
        pages=len(result["pages"]),
        transactions=transactions,
        close_s=close_s,
        decide_s=decide_s,
        total_s=total.wall_s,
        cpu_s=total.cpu_s,
    )


async def _evaluated(
    client: GatewayClient, identity: SigningIdentity, function: str, *arguments: str
) -> Any:
    raw = await client.evaluate_transaction(identity, CHAINCODE, function, *arguments)
    return json.loads(raw)

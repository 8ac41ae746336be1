"""`python -m gateway.measuring.gate_rush`: households that order in the last seconds of a listing.

Reads its task as JSON from standard input: `url`, `function`, `first_order_ms`, `last_order_ms`
(ms UTC; orders are spread evenly between), and `households`, each with mspid, certificate_pem,
key_pem and args. Prints JSON: how many orders were accepted, refused by reason, or lost, and
milliseconds from the wish to "on the ledger".
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from gateway.agent.client import HouseholdClient, OrderRefused
from gateway.measuring.addresses import source_address
from ledger.crypto.signing import Signer, SigningIdentity

TIMEOUT_S = 60.0


@dataclass(slots=True)
class Rush:
    """What became of the orders."""

    accepted_ms: list[float] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    """Counts by the code of the refusal."""
    lost: list[str] = field(default_factory=list)
    """Orders without an answer, or refused without a reason."""


async def rush(task: dict[str, Any]) -> Rush:
    """Place all orders."""
    done = Rush()
    households = task["households"]
    step_ms = (task["last_order_ms"] - task["first_order_ms"]) / max(len(households) - 1, 1)
    await asyncio.gather(
        *(
            _order(task, number, task["first_order_ms"] + number * step_ms, done)
            for number in range(len(households))
        )
    )
    return done


async def _order(task: dict[str, Any], number: int, at_ms: float, done: Rush) -> None:
    own = task["households"][number]
    identity = SigningIdentity(
        own["mspid"], own["certificate_pem"].encode(), Signer(own["key_pem"].encode())
    )
    transport = httpx.AsyncHTTPTransport(local_address=source_address(number))
    async with httpx.AsyncClient(
        base_url=task["url"], transport=transport, timeout=TIMEOUT_S
    ) as http:
        client = HouseholdClient(http, identity)
        await asyncio.sleep(max(0.0, at_ms / 1000 - time.time()))
        begun = time.perf_counter()
        try:
            await client.submit(task["function"], own["args"], wait=True)
        except OrderRefused as refusal:
            if refusal.code:
                done.refused[refusal.code] = done.refused.get(refusal.code, 0) + 1
            else:
                done.lost.append(str(refusal))
        except httpx.HTTPError as error:
            done.lost.append(repr(error))
        else:
            done.accepted_ms.append(round((time.perf_counter() - begun) * 1000, 1))


def main() -> int:
    """Read the task, place the orders, print what became of them."""
    print(json.dumps(asdict(asyncio.run(rush(json.load(sys.stdin))))))  # noqa: T201 - a command
    return 0


if __name__ == "__main__":
    sys.exit(main())

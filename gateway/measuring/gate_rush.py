"""`python -m gateway.measuring.gate_rush`: households that order in the last seconds of a listing.

Reads two lines of JSON from standard input. The first is `url`, `function` and `households`, each
with mspid, certificate_pem, key_pem and args; a line is printed when they are ready. The second is
`listing_id`, `first_order_ms` and `last_order_ms` (ms UTC; orders are spread evenly between).
Prints JSON: how many orders were accepted, refused by reason, or lost, and milliseconds from the
wish to "on the ledger".
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


@dataclass(frozen=True, slots=True)
class Orderer:
    """A household that is ready to order, from an address of its own."""

    http: httpx.AsyncClient
    client: HouseholdClient
    args: list[str]


def ready(task: dict[str, Any]) -> list[Orderer]:
    """Keys read, connections prepared."""
    orderers = []
    tls = httpx.create_ssl_context()
    for number, own in enumerate(task["households"]):
        transport = httpx.AsyncHTTPTransport(verify=tls, local_address=source_address(number))
        http = httpx.AsyncClient(base_url=task["url"], transport=transport, timeout=TIMEOUT_S)
        identity = SigningIdentity(
            own["mspid"], own["certificate_pem"].encode(), Signer(own["key_pem"].encode())
        )
        orderers.append(Orderer(http, HouseholdClient(http, identity), own["args"]))
    return orderers


async def rush(function: str, orderers: list[Orderer], start: dict[str, Any]) -> Rush:
    """Place all orders."""
    done = Rush()
    step_ms = (start["last_order_ms"] - start["first_order_ms"]) / max(len(orderers) - 1, 1)

    async def order(number: int, orderer: Orderer) -> None:
        at_ms = start["first_order_ms"] + number * step_ms
        await asyncio.sleep(max(0.0, at_ms / 1000 - time.time()))
        await _order(function, [start["listing_id"], *orderer.args], orderer, done)

    await asyncio.gather(*(order(number, each) for number, each in enumerate(orderers)))
    return done


async def _order(function: str, args: list[str], orderer: Orderer, done: Rush) -> None:
    async with orderer.http:
        begun = time.perf_counter()
        try:
            await orderer.client.submit(function, args, wait=True)
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
    """Get ready, place the orders, print what became of them."""
    task = json.loads(sys.stdin.readline())
    orderers = ready(task)
    print("ready", flush=True)  # noqa: T201 - a command
    start = json.loads(sys.stdin.readline())
    done = asyncio.run(rush(task["function"], orderers, start))
    print(json.dumps(asdict(done)))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())

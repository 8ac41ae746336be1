"""What `gateway.ledger_access.actor.Actor` is on a network, on the test ledger."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chaincode.shim import ContractError
from chaincode.shim.testing import TestClient
from gateway.errors import LedgerRefusal
from gateway.ledger_access.actor import Actor


class LedgerActor:
    """An identity on the test ledger; refusals come as a peer would give them."""

    def __init__(self, client: TestClient) -> None:
        self._client = client

    async def submit(self, function: str, *args: str) -> Any:
        with as_a_peer_says_it():
            return self._client.submit(function, *args)

    submit_unless = Actor.submit_unless  # over the `submit` here

    async def evaluate(self, function: str, *args: str) -> Any:
        with as_a_peer_says_it():
            return self._client.evaluate(function, *args)


@contextmanager
def as_a_peer_says_it() -> Iterator[None]:
    try:
        yield
    except ContractError as error:
        raise LedgerRefusal("ABORTED", f"{error.code}: {error.message}") from error

"""What `gateway.ledger_access.actor.Actor` is on a network, on the test ledger."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chaincode.shim import ContractError
from chaincode.shim.testing import TestClient
from gateway.errors import LedgerRefusal
from gateway.ledger_access.refusals import refusal_code


class LedgerActor:
    """An identity on the test ledger; refusals come as a peer would give them."""

    def __init__(self, client: TestClient) -> None:
        self._client = client

    async def submit(self, function: str, *args: str) -> Any:
        with as_a_peer_says_it():
            return self._client.submit(function, *args)

    async def submit_unless(self, done_already: str, function: str, *args: str) -> Any:
        try:
            return await self.submit(function, *args)
        except LedgerRefusal as refusal:
            if refusal_code(refusal) == done_already:
                return None
            raise

    async def evaluate(self, function: str, *args: str) -> Any:
        with as_a_peer_says_it():
            return self._client.evaluate(function, *args)


@contextmanager
def as_a_peer_says_it() -> Iterator[None]:
    try:
        yield
    except ContractError as error:
        raise LedgerRefusal("ABORTED", f"{error.code}: {error.message}") from error

"""Someone who acts on the ledger with an own key: scheduler, oracle, manager, grid operator."""

import json
from collections.abc import Iterable
from typing import Any

from grpc import aio

from gateway.errors import LedgerRefusal
from gateway.ledger_access.peer_line import refusal_of
from gateway.ledger_access.refusals import RETRYABLE, refusal_code
from ledger.client.gateway import CommitFailed, GatewayClient, SubmittedTransaction
from ledger.crypto.signing import SigningIdentity

TRIES_MAX = 5


class Actor:
    """An identity, a peer's gateway and a chaincode."""

    def __init__(self, client: GatewayClient, identity: SigningIdentity, chaincode: str) -> None:
        self._client = client
        self._identity = identity
        self._chaincode = chaincode

    async def submit(self, function: str, *args: str) -> Any:
        """Run a function and wait for its block; returns the contract's JSON answer."""
        done = await self.commit(function, *args)
        return json.loads(done.result) if done.result else None

    async def commit(
        self, function: str, *args: str, transient: dict[str, bytes] | None = None
    ) -> SubmittedTransaction:
        """Run a function and wait for its block; returns the transaction.

        A read conflict is tried again with a fresh proposal, `TRIES_MAX` times in all. Raises
        `LedgerRefusal`; `refusal_code` names a contract's reason.
        """
        for attempt in range(1, TRIES_MAX + 1):
            try:
                return await self._client.submit_transaction(
                    self._identity, self._chaincode, function, *args, transient=transient
                )
            except aio.AioRpcError as error:
                raise refusal_of(error) from error
            except CommitFailed as failed:
                if failed.status.code not in RETRYABLE or attempt == TRIES_MAX:
                    raise LedgerRefusal("ABORTED", str(failed)) from failed
        raise AssertionError("the last try returns or raises")

    async def submit_unless(self, done_already: str, function: str, *args: str) -> Any:
        """`submit`, but a refusal with this code means the work is done; then `None`."""
        try:
            return await self.submit(function, *args)
        except LedgerRefusal as refusal:
            if refusal_code(refusal) == done_already:
                return None
            raise

    async def see(self, tx_ids: Iterable[str]) -> None:
        """Return when this actor's own peer has these transactions, sent through any peer."""
        for tx_id in tx_ids:
            try:
                await self._client.commit_status(tx_id, self._identity)
            except aio.AioRpcError as error:
                raise refusal_of(error) from error

    async def evaluate(self, function: str, *args: str) -> Any:
        """Ask without changing anything."""
        try:
            raw = await self._client.evaluate_transaction(
                self._identity, self._chaincode, function, *args
            )
        except aio.AioRpcError as error:
            raise refusal_of(error) from error
        return json.loads(raw) if raw else None

"""The lifecycle as one member's administrator uses it, at one peer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import grpc
from grpc import aio

from ledger.client.gateway import CommitFailed, GatewayClient
from ledger.client.refusals import reasons
from ledger.crypto.signing import SigningIdentity
from ledger.endorsement.lifecycle import messages
from ledger.endorsement.lifecycle.definitions import FullDefinition
from ledger.endorsement.lifecycle.dry_run import (
    DRY_RUN,
    DryRun,
    decode_dry_run,
    encode_dry_run_arguments,
)
from ledger.endorsement.lifecycle.messages import Approval, Readiness
from ledger.errors import GridledgerError
from ledger.model.codes import ValidationCode
from ledger.model.definition_keys import LIFECYCLE_NAMESPACE

T = TypeVar("T")

STATUS_OK = 200
STATUS_NOT_FOUND = 404
READY_TIMEOUT_S = 30.0
RETRY_INTERVAL_S = 0.1
NOTHING_APPROVED = "could not fetch approved chaincode definition"


class ChaincodeRefused(GridledgerError):  # noqa: N818 - the peer's answer
    """A peer refused; the text is the peer's."""

    def __init__(self, text: str, status: int = 500) -> None:
        super().__init__(text)
        self.status = status


class LifecycleClient:
    """Use within one event loop; `close` it."""

    def __init__(self, channel: aio.Channel, channel_id: str, identity: SigningIdentity) -> None:
        self.identity = identity
        self.gateway = GatewayClient(channel, channel_id)
        self._peer = GatewayClient(channel, "")  # asked without a channel, about itself

    async def close(self) -> None:
        """Close the channel."""
        await self.gateway.close()

    # -- packages ---------------------------------------------------------------------------------

    async def install(self, package_raw: bytes) -> str:
        """Install a package on the peer; its id."""
        raw = messages.encode_install_arguments(package_raw)
        return messages.decode_install_result(await self._ask(self._peer, messages.INSTALL, raw))

    async def installed(self) -> dict[str, list[tuple[str, str]]]:
        """(chaincode, version) that run from each package on the peer, by package id."""
        raw = await self._ask(self._peer, messages.QUERY_ALL_INSTALLED, b"")
        return messages.decode_all_installed(raw)

    async def package(self, package_id: str) -> bytes:
        """A package as it was installed."""
        asked = messages.encode_get_package_arguments(package_id)
        return messages.decode_package(await self._ask(self._peer, messages.GET_PACKAGE, asked))

    async def try_package(
        self, name: str, version: str, package_id: str, calls: Sequence[Sequence[bytes]]
    ) -> DryRun:
        """Run an installed package on the peer's present state: each call's answer."""
        wanted = encode_dry_run_arguments(name, version, package_id, calls)
        return decode_dry_run(await self._ask(self.gateway, DRY_RUN, wanted))

    # -- definitions ------------------------------------------------------------------------------

    async def approve(self, definition: FullDefinition, package_id: str) -> int:
        """Approve for the administrator's member; the number of the block with it."""
        raw = messages.encode_approve_arguments(definition, package_id)
        return await self._submit(messages.APPROVE, raw, (self.identity.mspid,))

    async def approved(self, name: str, sequence: int) -> Approval | None:
        """What the administrator's member approved; None if nothing."""
        asked = messages.encode_query_approved_arguments(name, sequence)
        try:
            raw = await self._ask(self.gateway, messages.QUERY_APPROVED, asked)
        except ChaincodeRefused as refusal:
            if NOTHING_APPROVED in str(refusal):
                return None
            raise
        return messages.decode_approved(name, raw)

    async def readiness(self, definition: FullDefinition) -> Readiness:
        """Who approved a definition that is not committed yet."""
        raw = messages.encode_readiness_arguments(definition)
        answer = await self._ask(self.gateway, messages.CHECK_READINESS, raw)
        return messages.decode_readiness(answer)

    async def commit(self, definition: FullDefinition) -> int:
        """Commit a definition; the number of the block with it."""
        raw = messages.encode_commit_arguments(definition)
        return await self._submit(messages.COMMIT, raw, ())

    async def committed(self, name: str) -> tuple[FullDefinition, dict[str, bool]] | None:
        """The committed definition and who approved it; None if there is none."""
        asked = messages.encode_query_arguments(name)
        try:
            raw = await self._ask(self.gateway, messages.QUERY_COMMITTED, asked)
        except ChaincodeRefused as refusal:
            if refusal.status == STATUS_NOT_FOUND:
                return None
            raise
        return messages.decode_committed(name, raw)

    async def all_committed(self) -> list[FullDefinition]:
        """Every definition on the channel."""
        raw = await self._ask(self.gateway, messages.QUERY_ALL_COMMITTED, b"")
        return messages.decode_all_committed(raw)

    # -- calls ------------------------------------------------------------------------------------

    async def _ask(self, client: GatewayClient, function: str, argument: bytes) -> bytes:
        identity = self.identity
        proposal = client.propose(identity.serialized, LIFECYCLE_NAMESPACE, function, [argument])
        answer = await client.process_proposal(proposal, identity.sign(proposal.raw))
        response = answer.response
        if response.status != STATUS_OK:
            raise ChaincodeRefused(response.message, response.status)
        return response.payload

    async def _submit(self, function: str, argument: bytes, organizations: tuple[str, ...]) -> int:
        """Wait until enough validators are connected, then until it is in a block.

        A submission that failed may have reached some validators all the same: the same
        transaction is handed in again, never a second one. Raises ChaincodeRefused with the
        peers' words, or when it is recorded as invalid.
        """
        client, identity = self.gateway, self.identity

        async def endorsed() -> tuple[str, bytes]:
            proposal = client.propose(
                identity.serialized, LIFECYCLE_NAMESPACE, function, [argument]
            )
            signature = identity.sign(proposal.raw)
            return proposal.tx_id, await client.endorse(proposal, signature, organizations)

        async with asyncio.timeout(READY_TIMEOUT_S):
            tx_id, payload = await _once_available(endorsed)
            signature = identity.sign(payload)

            async def handed_in() -> None:
                try:
                    await client.submit(tx_id, payload, signature)
                except aio.AioRpcError as error:
                    if (
                        error.code() != grpc.StatusCode.ALREADY_EXISTS
                    ):  # an earlier try got through
                        raise

            await _once_available(handed_in)
            status = await client.commit_status(tx_id, identity)
        if status.is_valid:
            return status.block_number
        hint = ""
        if status.code == ValidationCode.ENDORSEMENT_POLICY_FAILURE:
            hint = ": not enough members agree"
        raise ChaincodeRefused(f"{CommitFailed(tx_id, status)}{hint}")


async def _once_available(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat a call while its answer is UNAVAILABLE; refusals come with the peers' words."""
    while True:
        try:
            return await call()
        except aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.ABORTED:
                raise ChaincodeRefused(reasons(error)) from error
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            await asyncio.sleep(RETRY_INTERVAL_S)

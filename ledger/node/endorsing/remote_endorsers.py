"""Asking other validators' peers to simulate and sign, over the validator streams.

Requests made in the same turn of the event loop share a frame. A peer of a Fabric network that
is not one of our validators would be asked over protos.Endorser instead.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from ledger.errors import InvalidMessage, known_reason
from ledger.model.codec_action import decode_proposal_response, encode_proposal_response
from ledger.model.codec_proposal import decode_signed_proposal
from ledger.model.transaction import ProposalResponse, SignedProposal
from ledger.rpc.commit_notifier import CommitNotifier
from ledger.rpc.validator_links import ValidatorLinks
from ledger.rpc.validator_service import Reply
from ledger.wire.validator_pb2 import EndorseRequest, EndorseResult, Item

REMOTE_ENDORSE_TIMEOUT_MS = 15_000
HEIGHT_WAIT_MS = 3_000
"""How long an endorser waits for blocks that the asking peer already has."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """A peer's answer and how many blocks it had when it simulated."""

    response: ProposalResponse
    height: int


class EndorserUnreachable(Exception):  # noqa: N818 - what happened, not a mistake
    """The peer cannot be asked now; another member's peer may do."""


class RemoteEndorsers:
    """Both ends of endorsement between validators."""

    def __init__(
        self,
        *,
        channel_id: str,
        links: ValidatorLinks,
        process: Callable[[SignedProposal], Awaitable[ProposalResponse]],
        notifier: CommitNotifier,
    ) -> None:
        self._channel_id = channel_id
        self._links = links
        self._process = process
        self._notifier = notifier
        self._ids = itertools.count(1)
        self._waiting: dict[int, tuple[int, asyncio.Future[EndorseResult]]] = {}

    async def endorse(
        self, consenter_id: int, proposal: SignedProposal, height_min: int
    ) -> Simulated:
        """Another peer's answer; raises InvalidMessage for its refusal of the request itself.

        The peer first waits until it has `height_min` blocks.
        """
        request_id = next(self._ids)
        request = EndorseRequest(
            request_id=request_id,
            signed_proposal=proposal.raw,
            channel_id=self._channel_id,
            height_min=height_min,
        )
        if not self._links.send(consenter_id, Item(endorse_request=request)):
            raise EndorserUnreachable(f"consenter {consenter_id} cannot be reached")
        future: asyncio.Future[EndorseResult] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = (consenter_id, future)
        try:
            async with asyncio.timeout(REMOTE_ENDORSE_TIMEOUT_MS / 1000):
                result = await future
        except TimeoutError as error:
            raise EndorserUnreachable(f"consenter {consenter_id} did not answer") from error
        finally:
            del self._waiting[request_id]
        if result.reason:
            raise InvalidMessage(known_reason(result.reason), result.detail)
        return Simulated(decode_proposal_response(result.proposal_response), result.height)

    def on_result(self, sender: int, result: EndorseResult) -> None:
        """An answer to one of our requests; only the peer that was asked may give it."""
        waiting = self._waiting.get(result.request_id)
        if waiting is not None and waiting[0] == sender and not waiting[1].done():
            waiting[1].set_result(result)

    def on_disconnected(self, consenter_id: int) -> None:
        """Answers that will not come any more."""
        for asked, future in self._waiting.values():
            if asked == consenter_id and not future.done():
                future.set_exception(
                    EndorserUnreachable(f"connection to consenter {consenter_id} was lost")
                )

    async def on_request(self, request: EndorseRequest, reply: Reply) -> None:
        """Another peer's gateway asks for our endorsement of a client's proposal."""
        result = EndorseResult(request_id=request.request_id)
        try:
            proposal = decode_signed_proposal(request.signed_proposal)
            await self.reach(request.height_min)
            result.height = self._notifier.height
            result.proposal_response = encode_proposal_response(await self._process(proposal))
        except InvalidMessage as error:
            result.reason = error.reason
            result.detail = error.detail
        reply(Item(endorse_result=result))

    @property
    def own_height(self) -> int:
        """Blocks this peer has."""
        return self._notifier.height

    async def reach(self, height: int) -> None:
        """Wait a little for blocks another peer has; one that stays behind goes on anyway."""
        if height > self._notifier.height:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEIGHT_WAIT_MS / 1000):
                    await self._notifier.wait_for_height(height)

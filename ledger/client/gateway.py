"""A client of gateway.Gateway: what the web gateway, the command line and the bench use.

Signing is the caller's: `SigningIdentity` holds the key of whoever acts. The steps are separate,
so that a household can sign elsewhere; `submit_transaction` strings them together.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from grpc import aio

from ledger.client.connection import client_channel
from ledger.client.proposals import UnsignedProposal, new_proposal
from ledger.crypto.signing import SigningIdentity
from ledger.model.codec import decode_prepared_transaction
from ledger.model.codec_action import decode_proposal_response
from ledger.model.codec_proposal import encode_signed_proposal
from ledger.model.codes import ValidationCode
from ledger.model.transaction import ProposalResponse
from ledger.rpc.transport import identity_bytes
from ledger.wire import gateway_pb2

CALL_TIMEOUT_S = 30.0
COMMIT_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """Where and how a transaction was recorded."""

    code: ValidationCode
    block_number: int

    @property
    def is_valid(self) -> bool:
        """Whether the transaction changed state."""
        return self.code == ValidationCode.VALID


@dataclass(frozen=True, slots=True)
class SubmittedTransaction:
    """A transaction in a block, its contract's answer and its status."""

    tx_id: str
    result: bytes
    status: CommitStatus


class CommitFailed(Exception):  # noqa: N818 - what happened, not a mistake
    """The transaction is in a block and was recorded as invalid."""

    def __init__(self, tx_id: str, status: CommitStatus) -> None:
        super().__init__(
            f"transaction {tx_id} was recorded as {status.code.name} "
            f"in block {status.block_number}"
        )
        self.tx_id = tx_id
        self.status = status


class GatewayClient:
    """One channel to one peer's gateway."""

    def __init__(self, channel: aio.Channel, channel_id: str) -> None:
        self.channel_id = channel_id
        self._channel = channel
        unary = channel.unary_unary
        self._endorse = unary("/gateway.Gateway/Endorse", identity_bytes, identity_bytes)
        self._submit = unary("/gateway.Gateway/Submit", identity_bytes, identity_bytes)
        self._status = unary("/gateway.Gateway/CommitStatus", identity_bytes, identity_bytes)
        self._evaluate = unary("/gateway.Gateway/Evaluate", identity_bytes, identity_bytes)
        self._process = unary("/protos.Endorser/ProcessProposal", identity_bytes, identity_bytes)
        self._events = channel.unary_stream(
            "/gateway.Gateway/ChaincodeEvents", identity_bytes, identity_bytes
        )

    @classmethod
    def connect(cls, address: str, ca_pem: bytes, channel_id: str) -> "GatewayClient":
        """A client over TLS; `ca_pem` is the member's TLS authority."""
        return cls(client_channel(address, ca_pem), channel_id)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    # -- steps, for keys that sign elsewhere -----------------------------------------------------

    def propose(
        self,
        creator: bytes,
        chaincode: str,
        function: str,
        args: Sequence[str | bytes],
        transient: dict[str, bytes] | None = None,
        *,
        is_init: bool = False,
    ) -> UnsignedProposal:
        """A proposal to sign; `creator` is the signer's SerializedIdentity."""
        return new_proposal(
            channel_id=self.channel_id,
            creator=creator,
            chaincode=chaincode,
            function=function,
            args=args,
            transient=transient,
            is_init=is_init,
        )

    async def endorse(
        self, proposal: UnsignedProposal, signature: bytes, organizations: Sequence[str] = ()
    ) -> bytes:
        """The prepared transaction's payload, to be signed next."""
        request = gateway_pb2.EndorseRequest(
            transaction_id=proposal.tx_id,
            channel_id=self.channel_id,
            endorsing_organizations=organizations,
        )
        request.proposed_transaction.proposal_bytes = proposal.raw
        request.proposed_transaction.signature = signature
        raw = await self._endorse(request.SerializeToString(), timeout=CALL_TIMEOUT_S)
        return gateway_pb2.EndorseResponse.FromString(raw).prepared_transaction.payload

    async def process_proposal(
        self, proposal: UnsignedProposal, signature: bytes
    ) -> ProposalResponse:
        """This one peer's own answer to a proposal, refusals of the contract included."""
        request = encode_signed_proposal(proposal.raw, signature)
        return decode_proposal_response(await self._process(request, timeout=CALL_TIMEOUT_S))

    async def submit(self, tx_id: str, payload: bytes, signature: bytes) -> None:
        """Hand the signed transaction to ordering."""
        request = gateway_pb2.SubmitRequest(transaction_id=tx_id, channel_id=self.channel_id)
        request.prepared_transaction.payload = payload
        request.prepared_transaction.signature = signature
        await self._submit(request.SerializeToString(), timeout=CALL_TIMEOUT_S)

    async def commit_status(self, tx_id: str, identity: SigningIdentity) -> CommitStatus:
        """Wait until the transaction is in a block."""
        request = gateway_pb2.CommitStatusRequest(
            transaction_id=tx_id, channel_id=self.channel_id, identity=identity.serialized
        ).SerializeToString()
        signed = gateway_pb2.SignedCommitStatusRequest(
            request=request, signature=identity.sign(request)
        )
        raw = await self._status(signed.SerializeToString(), timeout=COMMIT_TIMEOUT_S)
        response = gateway_pb2.CommitStatusResponse.FromString(raw)
        return CommitStatus(ValidationCode(response.result), response.block_number)

    # -- whole calls ------------------------------------------------------------------------------

    async def evaluate_transaction(
        self,
        identity: SigningIdentity,
        chaincode: str,
        function: str,
        *args: str | bytes,
        transient: dict[str, bytes] | None = None,
    ) -> bytes:
        """Ask a contract without changing anything; the contract's answer."""
        proposal = self.propose(identity.serialized, chaincode, function, args, transient)
        return await self.evaluate(proposal, identity.sign(proposal.raw))

    async def evaluate(
        self, proposal: UnsignedProposal, signature: bytes, organizations: Sequence[str] = ()
    ) -> bytes:
        """The contract's answer to a proposal signed elsewhere."""
        request = gateway_pb2.EvaluateRequest(
            transaction_id=proposal.tx_id,
            channel_id=self.channel_id,
            target_organizations=organizations,
        )
        request.proposed_transaction.proposal_bytes = proposal.raw
        request.proposed_transaction.signature = signature
        raw = await self._evaluate(request.SerializeToString(), timeout=CALL_TIMEOUT_S)
        return gateway_pb2.EvaluateResponse.FromString(raw).result.payload

    async def submit_transaction(
        self,
        identity: SigningIdentity,
        chaincode: str,
        function: str,
        *args: str | bytes,
        transient: dict[str, bytes] | None = None,
    ) -> SubmittedTransaction:
        """Propose, `order` and be sure; raises CommitFailed when recorded invalid."""
        proposal = self.propose(identity.serialized, chaincode, function, args, transient)
        recorded = await self.order(identity, proposal)
        if not recorded.status.is_valid:
            raise CommitFailed(proposal.tx_id, recorded.status)
        return recorded

    async def order(
        self,
        identity: SigningIdentity,
        proposal: UnsignedProposal,
        organizations: Sequence[str] = (),
    ) -> SubmittedTransaction:
        """Endorse, submit and wait for the commit, whatever the transaction's fate."""
        payload = await self.endorse(proposal, identity.sign(proposal.raw), organizations)
        await self.submit(proposal.tx_id, payload, identity.sign(payload))
        status = await self.commit_status(proposal.tx_id, identity)
        return SubmittedTransaction(proposal.tx_id, contract_result(payload), status)

    async def chaincode_events(
        self,
        identity: SigningIdentity,
        chaincode: str,
        *,
        start_block: int | None = None,
        after_tx_id: str = "",
    ) -> AsyncIterator[gateway_pb2.ChaincodeEventsResponse]:
        """Events of valid transactions as blocks commit; from the next block when no start."""
        request = gateway_pb2.ChaincodeEventsRequest(
            channel_id=self.channel_id,
            chaincode_id=chaincode,
            identity=identity.serialized,
            after_transaction_id=after_tx_id,
        )
        if start_block is None:
            request.start_position.next_commit.SetInParent()
        else:
            request.start_position.specified.number = start_block
        raw = request.SerializeToString()
        signed = gateway_pb2.SignedChaincodeEventsRequest(
            request=raw, signature=identity.sign(raw)
        )
        async for response in self._events(signed.SerializeToString()):
            yield gateway_pb2.ChaincodeEventsResponse.FromString(response)


def contract_result(payload: bytes) -> bytes:
    """What the contract returned, from a prepared transaction's payload."""
    transaction = decode_prepared_transaction(payload).transaction
    assert transaction is not None, "a prepared transaction is an endorser transaction"
    return transaction.action.response.payload

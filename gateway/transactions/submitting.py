"""Use cases of writing: prepare a proposal, pass on what the client signed, follow the commit.

The household's key never comes here. The client signs two byte strings with it: the proposal and,
after endorsement, the transaction's payload; the gateway passes both on as they are.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.errors import LedgerRefusal, Problem, RequestRefused
from gateway.ledger_access.block_signal import BlockSignal
from gateway.ledger_access.refusals import problem_of
from gateway.ports import Ledger
from gateway.readmodel.queries import ReadModel
from gateway.readmodel.records import TransactionRecord
from gateway.shared_state.submissions import Submissions
from ledger.client.proposals import new_proposal
from ledger.crypto.hashing import transaction_id
from ledger.errors import InvalidMessage
from ledger.model.codec import decode_request, encode_envelope
from ledger.model.codec_header import encode_identity
from ledger.model.codec_proposal import decode_proposal
from ledger.model.codes import HeaderType
from ledger.model.transaction import Header, SignedProposal

UNDECIDED = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED"})
"""After these the transaction may be ordered all the same."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Bytes for the client to sign (ECDSA P-256 over SHA-256, low S) and their transaction."""

    tx_id: str
    to_sign: bytes


class Transactions:
    """The path of one transaction through the gateway."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        chaincode: str,
        readmodel: ReadModel,
        blocks: BlockSignal,
        submissions: Submissions,
        clock_ns: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._chaincode = chaincode
        self._readmodel = readmodel
        self._blocks = blocks
        self._clock_ns = clock_ns
        self._submissions = submissions

    def channel(self) -> dict[str, str]:
        """Names of the channel and the chaincode that are served here."""
        return {"channel_id": self._ledger.channel_id, "chaincode": self._chaincode}

    def prepare(
        self, *, mspid: str, certificate_pem: str, function: str, args: Sequence[str]
    ) -> Prepared:
        """A proposal to run `contract:function` in the name of this certificate."""
        proposal = new_proposal(
            channel_id=self._ledger.channel_id,
            chaincode=self._chaincode,
            function=function,
            args=args,
            creator=encode_identity(mspid, certificate_pem.encode("ascii")),
            timestamp_ns=self._clock_ns(),
        )
        return Prepared(tx_id=proposal.tx_id, to_sign=proposal.raw)

    async def evaluate(self, proposal: bytes, signature: bytes) -> bytes:
        """What a contract answers to a signed proposal; nothing is ordered."""
        decoded = self._checked(proposal, signature)
        try:
            return await self._ledger.evaluate(decoded.tx_id, proposal, signature)
        except LedgerRefusal as refusal:
            raise problem_of(refusal) from refusal

    async def endorse(self, proposal: bytes, signature: bytes) -> Prepared:
        """Collect endorsements for a signed proposal; the payload to sign next."""
        decoded = self._checked(proposal, signature)
        try:
            payload = await self._ledger.endorse(decoded.tx_id, proposal, signature)
        except LedgerRefusal as refusal:
            raise problem_of(refusal) from refusal
        return Prepared(tx_id=decoded.tx_id, to_sign=payload)

    async def submit(self, payload: bytes, signature: bytes) -> str:
        """Hand a signed payload to ordering; returns the transaction's id."""
        header = self._header_of(payload, signature)
        tx_id = header.channel.tx_id
        known = await asyncio.to_thread(self._readmodel.transaction, tx_id)
        if known is not None:
            raise RequestRefused(
                Problem.CONFLICT, f"{tx_id} is in block {known.block_number} already"
            )
        await asyncio.to_thread(self._submissions.remember, tx_id)
        try:
            await self._ledger.submit(tx_id, payload, signature)
        except LedgerRefusal as refusal:
            if refusal.status not in UNDECIDED:
                await asyncio.to_thread(self._submissions.forget, tx_id)
            raise problem_of(refusal) from refusal
        return tx_id

    def find(self, tx_id: str) -> TransactionRecord | None:
        """The committed transaction, `None` while it waits; `NOT_FOUND` if nobody sent it here."""
        record = self._readmodel.transaction(tx_id)
        if record is None and not self._submissions.knows(tx_id):
            raise RequestRefused(Problem.NOT_FOUND, f"no transaction {tx_id} is known here")
        return record

    async def committed(self, tx_id: str, timeout_ms: int) -> TransactionRecord | None:
        """Wait until the transaction is in a block; `None` when the time is over first."""
        with self._blocks.outcome_of(tx_id) as outcome:
            known = await asyncio.to_thread(self._readmodel.transaction, tx_id)
            if known is not None:
                return known
            await asyncio.wait((outcome,), timeout=timeout_ms / 1000)
            return outcome.result() if outcome.done() else None

    def _checked(self, proposal: bytes, signature: bytes) -> SignedProposal:
        try:
            decoded = decode_proposal(proposal, signature)
        except InvalidMessage as error:
            raise RequestRefused(Problem.MALFORMED, f"proposal: {error.detail}") from error
        self._check_header(decoded.header)
        if decoded.chaincode_name != self._chaincode:
            raise RequestRefused(
                Problem.MALFORMED, f"this gateway serves the contracts in {self._chaincode}"
            )
        return decoded

    def _header_of(self, payload: bytes, signature: bytes) -> Header:
        try:
            header = decode_request(encode_envelope(payload, signature)).header
        except InvalidMessage as error:
            raise RequestRefused(Problem.MALFORMED, f"payload: {error.detail}") from error
        if header.channel.type != HeaderType.ENDORSER_TRANSACTION:
            raise RequestRefused(Problem.MALFORMED, "the payload is not an endorsed transaction")
        self._check_header(header)
        return header

    def _check_header(self, header: Header) -> None:
        if header.channel.channel_id != self._ledger.channel_id:
            raise RequestRefused(
                Problem.MALFORMED, f"this gateway serves channel {self._ledger.channel_id}"
            )
        if header.channel.tx_id != transaction_id(header.nonce, header.creator):
            raise RequestRefused(
                Problem.MALFORMED, "the transaction id does not follow from nonce and creator"
            )

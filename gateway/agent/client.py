"""A household's way to the ledger: prepare, check, sign, submit, all through the gateway.

The key stays here. What the gateway asks to be signed is opened first: the proposal must say
what the household wants, and the transaction must be the endorsed form of that proposal.
"""

import base64
from collections.abc import Sequence

import httpx

from ledger.crypto.hashing import proposal_hash
from ledger.crypto.signing import SigningIdentity
from ledger.errors import InvalidMessage, TransactionInvalid
from ledger.model.codec import decode_prepared_transaction
from ledger.model.codec_proposal import decode_proposal, strip_transient
from ledger.model.transaction import SignedProposal

REQUEST_TIMEOUT_S = 30.0


class OrderRefused(Exception):  # noqa: N818 - the gateway's or the ledger's answer
    """A problem document came back; `code` is the contract's code if it has one."""

    def __init__(self, status: int, title: str, detail: str, code: str | None) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.code = code


class NotWhatIAsked(Exception):  # noqa: N818
    """The gateway asked for a signature over something else; nothing was signed."""


class HouseholdClient:
    """One household's key and the gateway it uses."""

    def __init__(self, http: httpx.AsyncClient, identity: SigningIdentity) -> None:
        self._http = http
        self._identity = identity

    async def submit(self, function: str, args: Sequence[str], *, wait: bool = False) -> str:
        """Run a contract function; returns the transaction's id once ordering holds it."""
        prepared = await self._post(
            "/v1/proposals",
            {
                "creator": {
                    "mspid": self._identity.mspid,
                    "certificate_pem": self._identity.certificate_pem.decode("ascii"),
                },
                "function": function,
                "args": list(args),
            },
        )
        proposal_raw = base64.b64decode(str(prepared["to_sign"]))
        proposal = self._checked_proposal(proposal_raw, function, args)
        endorsed = await self._post(
            "/v1/transactions/endorse",
            {"proposal": prepared["to_sign"], "signature": self._signature(proposal_raw)},
        )
        payload = base64.b64decode(str(endorsed["to_sign"]))
        _check_payload(payload, proposal)
        answer = await self._post(
            "/v1/transactions" + ("?wait=committed" if wait else ""),
            {"payload": endorsed["to_sign"], "signature": self._signature(payload)},
        )
        return str(answer["transaction_id"])

    def _checked_proposal(self, raw: bytes, function: str, args: Sequence[str]) -> SignedProposal:
        try:
            proposal = decode_proposal(raw)
        except InvalidMessage as error:
            raise NotWhatIAsked(error.detail) from error
        wanted = (function.encode(), *(argument.encode() for argument in args))
        if proposal.args != wanted or proposal.header.creator != self._identity.serialized:
            raise NotWhatIAsked("the proposal has another function, arguments or creator")
        return proposal

    def _signature(self, message: bytes) -> str:
        return base64.b64encode(self._identity.sign(message)).decode("ascii")

    async def _post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        response = await self._http.post(path, json=body)
        content: dict[str, object] = response.json()
        if response.is_success:
            return content
        code = content.get("code")
        raise OrderRefused(
            response.status_code,
            str(content.get("title")),
            str(content.get("detail")),
            str(code) if code else None,
        )


def _check_payload(payload: bytes, proposal: SignedProposal) -> None:
    """The payload must carry the proposal's header and the hash of exactly this proposal."""
    try:
        envelope = decode_prepared_transaction(payload)
    except TransactionInvalid as error:
        raise NotWhatIAsked(error.detail) from error
    expected = proposal_hash(
        proposal.header.channel_header_raw,
        proposal.header.signature_header_raw,
        strip_transient(proposal.payload_raw),
    )
    transaction = envelope.transaction
    if (
        transaction is None
        or envelope.tx_id != proposal.tx_id
        or transaction.proposal_hash != expected
        or transaction.args != proposal.args
    ):
        raise NotWhatIAsked("the transaction is not the endorsed form of the proposal")

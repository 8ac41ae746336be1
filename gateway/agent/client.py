"""A household's way to the ledger: prepare, check, sign, submit, all through the gateway.

The key stays here. What the gateway asks to be signed is opened first: the proposal must say
what the household wants, and the transaction must be the endorsed form of that proposal.
"""

import base64
from collections.abc import Sequence

import httpx

from gateway.agent.checks import check_transaction, checked_proposal
from ledger.crypto.signing import SigningIdentity

REQUEST_TIMEOUT_S = 30.0


class OrderRefused(Exception):  # noqa: N818 - the gateway's or the ledger's answer
    """A problem document came back; `code` is the contract's code if it has one."""

    def __init__(self, status: int, title: str, detail: str, code: str | None) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.code = code


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
        proposal = checked_proposal(proposal_raw, function, args, self._identity.serialized)
        endorsed = await self._post(
            "/v1/transactions/endorse",
            {"proposal": prepared["to_sign"], "signature": self._signature(proposal_raw)},
        )
        payload = base64.b64decode(str(endorsed["to_sign"]))
        check_transaction(payload, proposal)
        answer = await self._post(
            "/v1/transactions" + ("?wait=committed" if wait else ""),
            {"payload": endorsed["to_sign"], "signature": self._signature(payload)},
        )
        return str(answer["transaction_id"])

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

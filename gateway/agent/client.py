"""A household's way to the ledger: prepare, check, sign, submit, all through the gateway.

The key stays here. What the gateway asks to be signed is opened first: the proposal must say
what the household wants, and the transaction must be the endorsed form of that proposal.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from gateway.agent.checks import NotWhatIAsked, check_transaction, checked_proposal
from ledger.crypto.signing import SigningIdentity

REQUEST_TIMEOUT_S = 30.0


class OrderRefused(Exception):  # noqa: N818 - the gateway's or the ledger's answer
    """A problem document came back, or none; `code` is the contract's code if it has one."""

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
        return await self.send(await self.signed(function, args), wait=wait)

    async def signed(self, function: str, args: Sequence[str]) -> dict[str, object]:
        """The signed transaction that runs it. The gateway cannot send it before it gets this."""
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
        proposal_raw = _to_sign(prepared)
        proposal = checked_proposal(proposal_raw, function, args, self._identity.serialized)
        endorsed = await self._post(
            "/v1/transactions/endorse",
            {"proposal": prepared["to_sign"], "signature": self._signature(proposal_raw)},
        )
        payload = _to_sign(endorsed)
        check_transaction(payload, proposal)
        return {"payload": endorsed["to_sign"], "signature": self._signature(payload)}

    async def send(self, signed: dict[str, object], *, wait: bool = False) -> str:
        """Send what `signed` made; returns the transaction's id once ordering holds it."""
        path = "/v1/transactions" + ("?wait=committed" if wait else "")
        answer = await self._post(path, signed)
        if "transaction_id" not in answer:
            raise OrderRefused(httpx.codes.OK, "no answer of a gateway", "no transaction_id", None)
        return str(answer["transaction_id"])

    def _signature(self, message: bytes) -> str:
        return base64.b64encode(self._identity.sign(message)).decode("ascii")

    async def _post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        response = await self._http.post(path, json=body)
        content = _document(response)
        if response.is_success:
            return content
        code = content.get("code")
        raise OrderRefused(
            response.status_code,
            str(content.get("title")),
            str(content.get("detail")),
            str(code) if code else None,
        )


def _to_sign(answer: Mapping[str, object]) -> bytes:
    try:
        return base64.b64decode(str(answer["to_sign"]))
    except (KeyError, ValueError) as error:
        raise NotWhatIAsked(f"nothing to sign in the answer: {error!r}") from error


def _document(response: httpx.Response) -> dict[str, Any]:
    """A proxy between here and the gateway answers with pages of its own: `OrderRefused`."""
    try:
        content = response.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        kind = response.headers.get("content-type", "no type")
        raise OrderRefused(response.status_code, "no answer of a gateway", kind, None)
    return content

"""Place a standing order with the household's own key, and withdraw it.

python standing_order.py http://127.0.0.1:8080 CooperativeMSP certificate.pem key.pem

The key stays in this process: the gateway prepares bytes, this script checks what they say, signs
them and sends them back. Beside the generated client it needs the package gridledger.
"""

import base64
import json
import sys
import time
from pathlib import Path
from typing import Any

from gridledger_client import Client
from gridledger_client.api.transactions import endorse, prepare_proposal, submit
from gridledger_client.models import (
    Creator,
    ProblemDocument,
    ProposalRequest,
    SignedProposalBody,
    SignedTransactionBody,
)

from gateway.agent.checks import check_transaction, checked_proposal
from ledger.crypto.signing import Signer, SigningIdentity

DAY_MS = 24 * 60 * 60 * 1000


def main(url: str, mspid: str, certificate: str, key: str) -> None:
    """Buy 500 Wh at up to 0.05 tokens per kWh in every hour of a day; then think better of it."""
    client = Client(base_url=url, raise_on_unexpected_status=True)
    signer = Signer(Path(key).read_bytes())
    identity = SigningIdentity(mspid, Path(certificate).read_bytes(), signer)
    now_ms = time.time_ns() // 1_000_000
    order = {
        "side": "bid",
        "energy_wh": 500,
        "price_utoken_per_kwh": 50_000,
        "from_ms": now_ms,
        "until_ms": now_ms + DAY_MS,
        "listings_max": 24,
        "budget_utoken": 600_000,
    }
    standing_id = run(client, identity, "standing:place", json.dumps(order))
    print(f"standing order {standing_id}")
    run(client, identity, "standing:withdraw", standing_id)
    print("withdrawn")


def run(client: Client, identity: SigningIdentity, function: str, *args: str) -> str:
    """Have a contract's function run; the transaction's id, once it is in a block and valid."""
    creator = Creator(mspid=identity.mspid, certificate_pem=identity.certificate_pem.decode())
    wanted = ProposalRequest(creator=creator, function=function, args=list(args))
    prepared = good(prepare_proposal.sync(client=client, body=wanted))
    raw = base64.b64decode(prepared.to_sign)
    proposal = checked_proposal(raw, function, args, identity.serialized)

    body = SignedProposalBody(proposal=prepared.to_sign, signature=signature(identity, raw))
    endorsed = good(endorse.sync(client=client, body=body))
    payload = base64.b64decode(endorsed.to_sign)
    check_transaction(payload, proposal)

    signed = SignedTransactionBody(
        payload=endorsed.to_sign, signature=signature(identity, payload)
    )
    status = good(submit.sync(client=client, body=signed, wait="committed"))
    if status.status != "valid":
        raise SystemExit(f"{status.transaction_id} is not in a block yet: ask for it later")
    return status.transaction_id


def signature(identity: SigningIdentity, message: bytes) -> str:
    """ECDSA P-256 over SHA-256, low S, in base64."""
    return base64.b64encode(identity.sign(message)).decode()


def good(answer: Any) -> Any:
    """The answer, unless it is a problem."""
    if isinstance(answer, ProblemDocument):
        raise SystemExit(f"{answer.title}: {answer.detail}")
    return answer


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A follower as a program: JSON commands on standard input, one JSON answer for each.

`python -m tests.follower GENESIS MSPID CERTIFICATE KEY`, the official messages on PYTHONPATH.
"""

import base64
import json
import sys
from pathlib import Path
from typing import Any

from tests.follower.blocks import BlockVerifier, is_config
from tests.follower.ordering_client import OrderingClient, Signer
from tests.follower.refusal import Refused
from tests.follower.tampering import unnoticed
from tests.follower.transactions import TRANSACTIONS_FILTER, chaincode_of

FORBIDDEN = ("ledger", "network", "chaincode", "gateway")


class Follower:
    """A peer that knows the genesis block, and from then on only what it has verified."""

    def __init__(self, genesis: bytes, signer: Signer) -> None:
        self._verifier = BlockVerifier(genesis)
        self._attested = self._verifier.clone()
        self._signer = signer
        self._last: tuple[BlockVerifier, Any] | None = None

    def follow(self, until: int, endpoint: int = 0) -> list[dict[str, Any]]:
        """Take blocks up to number `until` from an endpoint of the configuration."""
        taken: list[dict[str, Any]] = []
        for block in self._stream(endpoint, self._verifier.height):
            self._last = (self._verifier.clone(), block)
            signers = self._verifier.accept(block)
            taken.append(
                {
                    "number": block.header.number,
                    "signers": signers,
                    "codes": list(block.metadata.metadata[TRANSACTIONS_FILTER]),
                    "chaincodes": [chaincode_of(entry) for entry in block.data.data],
                    "is_config": is_config(block),
                }
            )
            if block.header.number >= until:
                return taken
        raise AssertionError("streams end with Refused")

    def attest(self, until: int, endpoint: int = 0) -> list[int]:
        """Headers and signatures only, as the watch for censoring orderers asks for them."""
        numbers = []
        for block in self._stream(endpoint, self._attested.height, headers=True):
            self._attested.accept_attestation(block)
            numbers.append(block.header.number)
            if block.header.number >= until:
                return numbers
        raise AssertionError("streams end with Refused")

    def config(self) -> dict[str, Any]:
        """What the configuration says now."""
        config = self._verifier.config
        consenters = [[one.id, one.msp_id, one.host, one.port] for one in config.consenters]
        return {
            "sequence": config.config.sequence,
            "consensus_type": config.consensus_type,
            "consenters": consenters,
            "endpoints": self._client().endpoints,
            "last_config": self._verifier.last_config,
        }

    def tamper(self, quorum: int) -> dict[str, Any]:
        """Change the block taken last byte by byte."""
        assert self._last is not None
        tried, passed = unnoticed(*self._last, quorum)
        return {"tried": tried, "passed": passed}

    def broadcast(self, envelope: str) -> list[tuple[int, str]]:
        """What every orderer answers to a transaction (base64), one after the other."""
        client = self._client()
        raw = base64.b64decode(envelope)
        return [client.broadcast(endpoint, raw) for endpoint in client.endpoints]

    def foreign_modules(self) -> list[str]:
        """Modules of the ledger in this process: there must be none."""
        return sorted(name for name in sys.modules if name.partition(".")[0] in FORBIDDEN)

    def _client(self) -> OrderingClient:
        return OrderingClient(self._signer, self._verifier.config)

    def _stream(self, endpoint: int, first: int, *, headers: bool = False):
        client = self._client()
        return client.blocks(client.endpoints[endpoint], first, headers=headers)


def main() -> None:
    """Serve until standard input ends."""
    genesis, mspid, certificate, key = sys.argv[1:]
    signer = Signer(mspid, Path(certificate), Path(key))
    follower = Follower(Path(genesis).read_bytes(), signer)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {"said": getattr(follower, command["do"])(**command["with"])}
        except Refused as refused:
            answer = {"refused": str(refused)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

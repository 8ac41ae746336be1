"""Proof of a validator that signed two things, kept for the consortium.

One JSON line per finding: the author and both signed payloads in hex. Anyone can check the two
signatures; nothing here is secret.
"""

import json
from pathlib import Path

from ledger.consensus.messages import Payload, Signed

EVIDENCE_BYTES_MAX = 16 * 1024 * 1024


class EvidenceLog:
    """Appends to one file until it is full; the first findings matter most."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.findings = 0

    def record(self, author: int, first: Signed[Payload], second: Signed[Payload]) -> None:
        """Keep two conflicting signed payloads of one author."""
        self.findings += 1
        if self._path.exists() and self._path.stat().st_size >= EVIDENCE_BYTES_MAX:
            return
        line = {
            "author": author,
            "payloads": [first.payload_raw.hex(), second.payload_raw.hex()],
            "signatures": [first.signature.hex(), second.signature.hex()],
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

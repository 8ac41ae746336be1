"""Proof of a validator that signed two things, kept for the consortium.

One JSON line per finding: the author and both signed payloads in hex. Anyone can check the two
signatures; nothing here is secret.
"""

import json
import os
from collections import Counter
from pathlib import Path

from ledger.consensus.messages import Payload, Signed
from ledger.errors import NodeFault

EVIDENCE_BYTES_MAX = 16 * 1024 * 1024
KEPT_PER_AUTHOR_MAX = 100
"""Findings written for one author since the start, each with a sync; the others are counted."""


class EvidenceLog:
    """Appends to one file until it is full; the first findings of each author matter most."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.findings: Counter[int] = Counter()
        """By author."""

    def record(self, author: int, first: Signed[Payload], second: Signed[Payload]) -> None:
        """Keep two conflicting signed payloads of one author; NodeFault when the disk fails."""
        self.findings[author] += 1
        if self.findings[author] > KEPT_PER_AUTHOR_MAX:
            return
        line = {
            "author": author,
            "payloads": [first.payload_raw.hex(), second.payload_raw.hex()],
            "signatures": [first.signature.hex(), second.signature.hex()],
        }
        try:
            self._append(json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise NodeFault(f"cannot write evidence to {self._path}: {error}") from error

    def _append(self, line: bytes) -> None:
        with self._path.open("ab") as file:
            size = file.tell()
            if size >= EVIDENCE_BYTES_MAX:
                return
            file.write(line if self._ends_a_line(size) else b"\n" + line)
            file.flush()
            os.fsync(file.fileno())

    def _ends_a_line(self, size: int) -> bool:
        """False after a crash in the middle of a line."""
        with self._path.open("rb") as file:
            file.seek(max(0, size - 1))
            return file.read(1) in (b"", b"\n")

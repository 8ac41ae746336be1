"""Each transaction's bytes decoded once: on submission, not again in proposal and validation."""

import threading

from ledger.errors import TransactionInvalid
from ledger.model.codec import decode_envelope
from ledger.model.transaction import Envelope

REMEMBERED_ENVELOPES_MAX = 4_000
REMEMBERED_BYTES_MAX = 64 * 1024 * 1024
# Fraction that makes room at once: forgetting one by one costs more.
_EVICTED_SHARE = 4

Decoded = Envelope | TransactionInvalid


class EnvelopeMemory:
    """Decoded envelopes by their bytes, the oldest forgotten first; for several threads."""

    def __init__(
        self,
        *,
        envelopes_max: int = REMEMBERED_ENVELOPES_MAX,
        bytes_max: int = REMEMBERED_BYTES_MAX,
    ) -> None:
        self._envelopes_max = envelopes_max
        self._bytes_max = bytes_max
        self._decoded: dict[bytes, Envelope] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._decoded)

    def decode(self, raw: bytes) -> Decoded:
        """The envelope, or why it is none; never raises. What is none is not remembered."""
        known = self._decoded.get(raw)
        if known is not None:
            return known
        try:
            decoded = decode_envelope(raw)
        except TransactionInvalid as error:
            return error
        with self._lock:
            if raw not in self._decoded:
                self._decoded[raw] = decoded
                self._bytes += len(raw)
                self._make_room()
        return decoded

    def forget(self, raw: bytes) -> None:
        """Drop an envelope that is committed."""
        with self._lock:
            if self._decoded.pop(raw, None) is not None:
                self._bytes -= len(raw)

    def _make_room(self) -> None:
        while len(self._decoded) > self._envelopes_max or self._bytes > self._bytes_max:
            oldest = list(self._decoded)
            for old in oldest[: max(1, len(oldest) // _EVICTED_SHARE)]:
                del self._decoded[old]
                self._bytes -= len(old)

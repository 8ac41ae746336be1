"""Each transaction's bytes decoded once: on submission, not again in proposal and validation."""

from ledger.errors import TransactionInvalid
from ledger.model.codec import decode_envelope
from ledger.model.transaction import Envelope

REMEMBERED_ENVELOPES_MAX = 4_000

Decoded = Envelope | TransactionInvalid


class EnvelopeMemory:
    """Decoded envelopes by their bytes, the oldest forgotten first."""

    def __init__(self) -> None:
        self._decoded: dict[bytes, Decoded] = {}

    def decode(self, raw: bytes) -> Decoded:
        """The envelope, or why it is none; never raises."""
        known = self._decoded.get(raw)
        if known is not None:
            return known
        decoded: Decoded
        try:
            decoded = decode_envelope(raw)
        except TransactionInvalid as error:
            decoded = error
        if len(self._decoded) >= REMEMBERED_ENVELOPES_MAX:
            for old in list(self._decoded)[: REMEMBERED_ENVELOPES_MAX // 4]:
                del self._decoded[old]
        self._decoded[raw] = decoded
        return decoded

    def forget(self, raw: bytes) -> None:
        """Drop an envelope that is committed."""
        self._decoded.pop(raw, None)

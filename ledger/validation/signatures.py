"""Which signatures a transaction carries, so that they can be verified ahead and elsewhere."""

from ledger.crypto.hashing import endorsement_message
from ledger.model.transaction import Envelope

SignedMessage = tuple[bytes, bytes, bytes]
"""(SerializedIdentity, message, signature)"""


def signatures_to_check(envelope: Envelope) -> list[SignedMessage]:
    """The client's signature, then those of the endorsers, exactly as validation asks for them."""
    signed = [(envelope.header.creator, envelope.payload_raw, envelope.signature)]
    if envelope.transaction is not None:
        payload_raw = envelope.transaction.proposal_response_payload_raw
        signed += [
            (
                endorsement.endorser,
                endorsement_message(payload_raw, endorsement.endorser),
                endorsement.signature,
            )
            for endorsement in envelope.transaction.endorsements
        ]
    return signed

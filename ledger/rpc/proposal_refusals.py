"""Why a peer does not even simulate a proposal: Fabric's words first, then our precise reason.

Fabric's clients look for these beginnings; Fabric itself keeps the reason to the peer's log.
"""

from ledger.crypto.hashing import transaction_id
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_header import decode_identity
from ledger.model.transaction import SignedProposal

ACCESS_REASONS = frozenset(
    (
        Reason.CERTIFICATE_INVALID,
        Reason.CERTIFICATE_EXPIRED,
        Reason.CERTIFICATE_NOT_YET_VALID,
        Reason.CERTIFICATE_REVOKED,
        Reason.ROLE_NOT_ALLOWED,
        Reason.BAD_SIGNATURE,
        Reason.HIGH_S_SIGNATURE,
        Reason.POLICY_NOT_SATISFIED,
    )
)


def refusal_text(error: InvalidMessage, proposal: SignedProposal) -> str:
    """One sentence for the client, ending in the reason of docs/errors.md and its detail."""
    beginning = _fabrics_words(error.reason, proposal)
    return f"{beginning}; {error}" if beginning else f"error validating proposal: {error}"


def _fabrics_words(reason: Reason, proposal: SignedProposal) -> str:
    header = proposal.header
    if reason is Reason.REPLAYED:
        return f"duplicate transaction found [{proposal.tx_id}]. Creator [{header.creator.hex()}]"
    if reason is Reason.BAD_TRANSACTION_ID:
        expected = transaction_id(header.nonce, header.creator)
        return (
            f"error validating proposal: incorrectly computed txid '{proposal.tx_id}'"
            f" -- expected '{expected}'"
        )
    denied = f"error validating proposal: access denied: channel [{header.channel.channel_id}]"
    if reason is Reason.UNKNOWN_MEMBER:
        return f"{denied} creator org unknown, creator is malformed"
    if reason in ACCESS_REASONS:
        return f"{denied} creator org [{_organization(header.creator)}]"
    return ""


def _organization(creator: bytes) -> str:
    """The MSP id the creator claims; the text is for that creator alone."""
    try:
        return decode_identity(creator)[0]
    except InvalidMessage:
        return "unknown"

"""What a household checks before it signs what a gateway has prepared. Pure."""

from collections.abc import Sequence

from ledger.crypto.hashing import proposal_hash
from ledger.errors import InvalidMessage, TransactionInvalid
from ledger.model.codec import decode_prepared_transaction
from ledger.model.codec_proposal import decode_proposal, strip_transient
from ledger.model.transaction import SignedProposal


class NotWhatIAsked(Exception):  # noqa: N818
    """The gateway asked for a signature over something else; nothing was signed."""


def checked_proposal(
    raw: bytes, function: str, args: Sequence[str], creator: bytes
) -> SignedProposal:
    """The proposal, if it runs this function with these arguments for this identity.

    Raises `NotWhatIAsked`. `creator` is `SigningIdentity.serialized`.
    """
    try:
        proposal = decode_proposal(raw)
    except InvalidMessage as error:
        raise NotWhatIAsked(error.detail) from error
    wanted = (function.encode(), *(argument.encode() for argument in args))
    if proposal.args != wanted or proposal.header.creator != creator:
        raise NotWhatIAsked("the proposal has another function, arguments or creator")
    return proposal


def check_transaction(payload: bytes, proposal: SignedProposal) -> None:
    """The payload must carry the proposal's header and the hash of exactly this proposal.

    Raises `NotWhatIAsked`.
    """
    try:
        envelope = decode_prepared_transaction(payload)
    except TransactionInvalid as error:
        raise NotWhatIAsked(error.detail) from error
    expected = proposal_hash(
        proposal.header.channel_header_raw,
        proposal.header.signature_header_raw,
        strip_transient(proposal.payload_raw),
    )
    transaction = envelope.transaction
    if (
        transaction is None
        or envelope.tx_id != proposal.tx_id
        or transaction.proposal_hash != expected
        or transaction.args != proposal.args
    ):
        raise NotWhatIAsked("the transaction is not the endorsed form of the proposal")

"""A client's new proposal: its bytes and the transaction id they lead to."""

from collections.abc import Mapping, Sequence

from ledger.crypto.hashing import transaction_id
from ledger.model.codec_proposal import encode_proposal


def build_proposal(
    *,
    channel_id: str,
    chaincode_name: str,
    args: Sequence[bytes],
    creator: bytes,
    nonce: bytes,
    timestamp_ns: int,
    transient: Mapping[str, bytes] | None = None,
    is_init: bool = False,
) -> tuple[str, bytes]:
    """(transaction id, Proposal bytes to sign).

    `creator` is a SerializedIdentity, `nonce` 24 random bytes never used before, `args` the
    function name and its arguments; `transient` reaches endorsers and never the ledger.
    """
    tx_id = transaction_id(nonce, creator)
    proposal_raw = encode_proposal(
        channel_id=channel_id,
        chaincode_name=chaincode_name,
        args=args,
        creator=creator,
        nonce=nonce,
        tx_id=tx_id,
        timestamp_ns=timestamp_ns,
        transient=transient,
        is_init=is_init,
    )
    return tx_id, proposal_raw

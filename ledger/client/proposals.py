"""A client's proposal, new each time: its bytes to sign, and the transaction id they lead to."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import time_ns

from ledger.crypto.proposal import build_proposal
from ledger.model.codec_header import NONCE_BYTES


@dataclass(frozen=True, slots=True)
class UnsignedProposal:
    """What a client signs first: `raw` with its identity's key."""

    tx_id: str
    raw: bytes


def new_proposal(
    *,
    channel_id: str,
    creator: bytes,
    chaincode: str,
    function: str,
    args: Sequence[str | bytes],
    transient: Mapping[str, bytes] | None = None,
    is_init: bool = False,
    timestamp_ns: int | None = None,
) -> UnsignedProposal:
    """A call of `function`, with a nonce never used before.

    `creator` is the signer's SerializedIdentity; the time is this machine's unless another is
    given.
    """
    encoded = [arg.encode() if isinstance(arg, str) else arg for arg in args]
    tx_id, raw = build_proposal(
        channel_id=channel_id,
        chaincode_name=chaincode,
        args=(function.encode(), *encoded),
        creator=creator,
        nonce=secrets.token_bytes(NONCE_BYTES),
        timestamp_ns=time_ns() if timestamp_ns is None else timestamp_ns,
        transient=transient or {},
        is_init=is_init,
    )
    return UnsignedProposal(tx_id, raw)

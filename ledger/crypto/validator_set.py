"""One hash for the set of validators, bound into every consensus signature and block."""

from collections.abc import Iterable

from ledger.crypto.certificates import parse_certificate
from ledger.crypto.hashing import sha256
from ledger.model.config import Consenter

_DOMAIN = b"gridledger-validator-set-1"
_NUMBER_BYTES = 4


def validator_set_hash(consenters: Iterable[Consenter]) -> bytes:
    """SHA-256, 32 bytes, over id, member and public key of each consenter, ascending by id.

    Keys, not certificates: a renewed certificate of the same key is the same validator. Addresses
    may change without changing the set.
    """
    ordered = sorted(consenters, key=lambda consenter: consenter.consenter_id)
    parts = [_DOMAIN, _number(len(ordered))]
    for consenter in ordered:
        parts.append(_number(consenter.consenter_id))
        for text in (
            consenter.mspid.encode("utf-8"),
            parse_certificate(consenter.identity_pem).public_key_der,
        ):
            parts += (_number(len(text)), text)
    return sha256(b"".join(parts))


def _number(value: int) -> bytes:
    return value.to_bytes(_NUMBER_BYTES, "big")

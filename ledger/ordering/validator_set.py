"""The consenters that decide a height, and one hash of them for every signature and block."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from ledger.crypto.certificates import parse_certificate
from ledger.crypto.hashing import sha256
from ledger.model.config import ChannelConfig, Consenter

_DOMAIN = b"gridledger-validator-set-1"
_NUMBER_BYTES = 4


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """Ids ascending; certificates' expiry plays no part here, only keys do."""

    ids: tuple[int, ...]
    keys: Mapping[int, EllipticCurvePublicKey]
    set_hash: bytes


def validator_set(config: ChannelConfig) -> ValidatorSet:
    """The set a channel configuration names."""
    keys = {
        consenter.consenter_id: parse_certificate(consenter.identity_pem).public_key
        for consenter in config.consenters
    }
    return ValidatorSet(
        ids=tuple(sorted(keys)), keys=keys, set_hash=validator_set_hash(config.consenters)
    )


def validator_set_hash(consenters: Iterable[Consenter]) -> bytes:
    """SHA-256, 32 bytes, over id, member and public key of each consenter, ascending by id.

    Keys, not certificates: a renewed certificate of the same key is the same validator. Addresses
    may change without changing the set.
    """
    return hash_of_validators(
        (one.consenter_id, one.mspid, parse_certificate(one.identity_pem).public_key_der)
        for one in consenters
    )


def hash_of_validators(validators: Iterable[tuple[int, str, bytes]]) -> bytes:
    """The same over (id, member, SubjectPublicKeyInfo in DER) of each."""
    ordered = sorted(validators)
    parts = [_DOMAIN, _number(len(ordered))]
    for consenter_id, mspid, key_der in ordered:
        parts.append(_number(consenter_id))
        for text in (mspid.encode("utf-8"), key_der):
            parts += (_number(len(text)), text)
    return sha256(b"".join(parts))


def _number(value: int) -> bytes:
    return value.to_bytes(_NUMBER_BYTES, "big")

"""The consenters that decide a height, as consensus and block checks need them."""

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from ledger.crypto.certificates import parse_certificate
from ledger.crypto.validator_set import validator_set_hash
from ledger.model.config import ChannelConfig


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

"""Who may seal which blocks: followed from the genesis block, kept in a small JSON file.

Whoever reads a receipt trusts this list and nothing else. Compare its fingerprint with one that
came another way: on paper, from a neighbour, from another member's gateway.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ledger.crypto.certificates import parse_certificate
from ledger.crypto.hashing import HASH_BYTES, block_hash, sha256
from ledger.errors import InvalidMessage, Reason
from ledger.model.block import Block
from ledger.model.config import CONSENTERS_MAX, ChannelConfig
from ledger.model.config_codec import decode_config_block
from ledger.ordering.validator_set import hash_of_validators

FORMAT = "gridledger validators 1"
TRUST_BYTES_MAX = 256 * 1024
SETS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class TrustedValidator:
    """One validator: its id among the consenters, its member, its P-256 key."""

    consenter_id: int
    mspid: str
    public_key_der: bytes
    """SubjectPublicKeyInfo."""
    public_key: EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class TrustedSet:
    """The validators that seal blocks from `from_block` on."""

    from_block: int
    validators: tuple[TrustedValidator, ...]
    set_hash: bytes


@dataclass(frozen=True, slots=True)
class TrustedValidators:
    """One ledger's validators, ascending by the first block they seal."""

    channel_id: str
    genesis_hash: bytes
    as_of_block: int
    """The newest block that was looked at; later ones may have other validators."""
    sets: tuple[TrustedSet, ...]

    def sealing(self, number: int) -> TrustedSet | None:
        """Who seals block `number`."""
        return next((one for one in reversed(self.sets) if one.from_block <= number), None)


def trusted_from_blocks(
    genesis: Block, later: Iterable[Block] = (), *, as_of_block: int = 0
) -> TrustedValidators:
    """From the genesis block and the later blocks with a configuration, which are believed.

    `ledger.audit` and snapshots check such blocks; a peer's ledger holds checked ones. Raises
    InvalidMessage for a block without a readable configuration.
    """
    founding = decode_config_block(genesis)
    sets = [_set(1, founding)]
    for block in later:
        following = _set(block.number + 1, decode_config_block(block))
        if following.set_hash != sets[-1].set_hash:
            sets.append(following)
        as_of_block = max(as_of_block, block.number)
    return TrustedValidators(
        channel_id=founding.channel_id,
        genesis_hash=block_hash(genesis.header),
        as_of_block=as_of_block,
        sets=tuple(sets),
    )


def encode_trust(trusted: TrustedValidators) -> bytes:
    """The file: JSON, one encoding for each list."""
    content = {
        "format": FORMAT,
        "channel_id": trusted.channel_id,
        "genesis_hash": trusted.genesis_hash.hex(),
        "as_of_block": trusted.as_of_block,
        "sets": [
            {
                "from_block": one.from_block,
                "validators": [
                    {
                        "id": validator.consenter_id,
                        "member": validator.mspid,
                        "public_key": base64.b64encode(validator.public_key_der).decode("ascii"),
                    }
                    for validator in one.validators
                ],
            }
            for one in trusted.sets
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"


def fingerprint(trusted: TrustedValidators) -> str:
    """Hex of SHA-256 over ledger and sets, however new the list is: what people compare."""
    parts = [trusted.channel_id.encode(), trusted.genesis_hash]
    for one in trusted.sets:
        parts += (one.from_block.to_bytes(8, "big"), one.set_hash)
    return sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).hex()


def decode_trust(raw: bytes) -> TrustedValidators:
    """Inverse of `encode_trust`; raises InvalidMessage MALFORMED or OVERSIZED."""
    if len(raw) > TRUST_BYTES_MAX:
        raise InvalidMessage(Reason.OVERSIZED, f"a list takes at most {TRUST_BYTES_MAX} bytes")
    try:
        content = json.loads(raw)
        if content["format"] != FORMAT:
            raise InvalidMessage(Reason.MALFORMED, f"no list of validators of format {FORMAT!r}")
        sets = tuple(_read_set(one) for one in content["sets"])
        trusted = TrustedValidators(
            channel_id=_text(content["channel_id"]),
            genesis_hash=bytes.fromhex(content["genesis_hash"]),
            as_of_block=_number(content["as_of_block"]),
            sets=sets,
        )
    except (KeyError, TypeError, ValueError, RecursionError, UnsupportedAlgorithm) as error:
        raise InvalidMessage(Reason.MALFORMED, f"no list of validators: {error!r}") from error
    _require_sense(trusted)
    return trusted


def _set(from_block: int, config: ChannelConfig) -> TrustedSet:
    found = []
    for consenter in sorted(config.consenters, key=lambda one: one.consenter_id):
        certificate = parse_certificate(consenter.identity_pem)
        found.append((consenter.consenter_id, consenter.mspid, certificate.public_key_der))
    return _trusted_set(from_block, found)


def _trusted_set(from_block: int, validators: list[tuple[int, str, bytes]]) -> TrustedSet:
    return TrustedSet(
        from_block=from_block,
        validators=tuple(TrustedValidator(*one, _key(one[2])) for one in validators),
        set_hash=hash_of_validators(validators),
    )


def _read_set(content: Mapping[str, Any]) -> TrustedSet:
    validators = [
        (
            _number(one["id"]),
            _text(one["member"]),
            base64.b64decode(_text(one["public_key"]), validate=True),
        )
        for one in content["validators"]
    ]
    return _trusted_set(_number(content["from_block"]), validators)


def _key(der: bytes) -> EllipticCurvePublicKey:
    try:
        key = load_der_public_key(der)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise TypeError("a validator's key is not on P-256")
    return key


def _require_sense(trusted: TrustedValidators) -> None:
    first_blocks = [one.from_block for one in trusted.sets]
    if len(trusted.genesis_hash) != HASH_BYTES or not 0 < len(first_blocks) <= SETS_MAX:
        raise InvalidMessage(Reason.MALFORMED, "no genesis hash, or no sets of validators")
    if sorted(set(first_blocks)) != first_blocks:
        raise InvalidMessage(Reason.MALFORMED, "the sets of validators are not ascending")
    for one in trusted.sets:
        ids = [validator.consenter_id for validator in one.validators]
        if not 0 < len(ids) <= CONSENTERS_MAX or len(set(ids)) != len(ids):
            raise InvalidMessage(Reason.MALFORMED, "a set names nobody, or somebody twice")


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise TypeError(f"{value!r} is no number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value

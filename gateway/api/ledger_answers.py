"""What the explorer, the event stream and the channel answer with; hashes are in hex."""

from dataclasses import dataclass
from typing import Any

from gateway.api.schemas import TransactionStatus


@dataclass(frozen=True, slots=True)
class Channel:
    """What a proposal names."""

    channel_id: str
    chaincode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockAnswer:
    """A block; what follows `signers` is null for blocks without a certificate of consensus."""

    number: int
    hash: str
    previous_hash: str
    data_hash: str
    commit_hash: str
    transaction_ids: list[str]
    signers: list[int]
    """Numbers of the validators whose seals it has."""
    round: int | None = None
    proposer: int | None = None
    block_time_ms: int | None = None
    transactions_root: str | None = None
    validator_set_hash: str | None = None
    previous_commit_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeBlock(BlockAnswer):
    """A block with its transactions."""

    transactions: list[TransactionStatus]


@dataclass(frozen=True, slots=True)
class SearchHit:
    """What a number or hash is of (`kind` is block or transaction), and where it is shown."""

    kind: str
    location: str


@dataclass(frozen=True, slots=True)
class BlockEvent:
    """A contract's event; `payload` is null for who does not read its transaction."""

    transaction_id: str
    name: str
    payload: Any
    """As the contract announces it."""


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A block as the stream tells it."""

    number: int
    hash: str
    transaction_ids: list[str]
    events: list[BlockEvent]


@dataclass(frozen=True, slots=True)
class ValidatorAnswer:
    """One validator: its number, its member, its public key (SubjectPublicKeyInfo, base64)."""

    id: int
    member: str
    public_key: str


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """Who seals blocks from `from_block` on."""

    from_block: int
    validators: list[ValidatorAnswer]


@dataclass(frozen=True, slots=True)
class ValidatorList:
    """Who may seal which blocks: the file that `gridledger verify-receipt` trusts."""

    format: str
    channel_id: str
    genesis_hash: str
    as_of_block: int
    sets: list[ValidatorSet]

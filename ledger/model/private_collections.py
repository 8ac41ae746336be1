"""Private data collections: whose peers keep the values, for how long, and who may touch them.

A chaincode's definition lists its static collections (protos.CollectionConfigPackage). Besides,
every chaincode has one implicit collection for each member of the channel, `_implicit_org_<MSP>`,
without any definition. Fabric's rules.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_parsing import parse_message
from ledger.model.config import APPLICATION
from ledger.model.policy import (
    PolicyReference,
    Principal,
    Role,
    Rule,
    SignaturePolicy,
    SignedBy,
)
from ledger.model.policy_codec import (
    decode_signature_policy,
    encode_application_policy,
    encode_signature_policy,
)
from ledger.model.transaction_limits import NAME_CHARACTERS_MAX
from ledger.wire import lifecycle_pb2, protos_pb2

IMPLICIT_PREFIX = "_implicit_org_"
COLLECTIONS_MAX = 100
"""Static collections of one chaincode."""
PACKAGES_CACHED_MAX = 100
PEER_COUNT_MAX = 1_000
BLOCK_NUMBER_MAX = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection as its chaincode's definition has it."""

    name: str
    member_policy: SignaturePolicy
    """Who is a member: peers keep the values, clients may be the only ones to read or write."""
    required_peer_count: int = 0
    """Other members' peers that must have the values before this one endorses."""
    maximum_peer_count: int = 0
    """Other members' peers that are offered the values at endorsement."""
    block_to_live: int = 0
    """Blocks after which a value is removed; 0: never."""
    member_only_read: bool = False
    member_only_write: bool = False
    endorsement_policy: bytes = b""
    """protos.ApplicationPolicy bytes for its writes; empty: the chaincode's policy."""

    @property
    def members(self) -> frozenset[str]:
        """MSP ids of the member organizations."""
        return frozenset(principal.mspid for principal in self.member_policy.principals)

    def expires_at(self, block_number: int) -> int | None:
        """The block whose commit removes what block `block_number` wrote; None: never."""
        expires_at = block_number + self.block_to_live + 1
        return expires_at if self.block_to_live and expires_at <= BLOCK_NUMBER_MAX else None


def implicit_name(mspid: str) -> str:
    """The name of a member's implicit collection."""
    return IMPLICIT_PREFIX + mspid


def implicit_member(collection: str) -> str | None:
    """The MSP id in the name of an implicit collection; None for another name."""
    if not collection.startswith(IMPLICIT_PREFIX):
        return None
    return collection.removeprefix(IMPLICIT_PREFIX)


@lru_cache(maxsize=PACKAGES_CACHED_MAX)
def implicit_collection(mspid: str) -> Collection:
    """A member's own collection: its peers keep the values and its policy covers the writes."""
    return Collection(
        name=implicit_name(mspid),
        member_policy=SignaturePolicy(SignedBy(0), (Principal(mspid, Role.MEMBER),)),
        maximum_peer_count=1,
        endorsement_policy=encode_application_policy(
            PolicyReference(f"{APPLICATION}/{mspid}/Endorsement")
        ),
    )


@lru_cache(maxsize=PACKAGES_CACHED_MAX)
def static_collections(package_raw: bytes) -> Mapping[str, Collection]:
    """By name, from protos.CollectionConfigPackage bytes; raises InvalidMessage naming a mistake.

    Empty bytes are a package without collections.
    """
    package = parse_message(protos_pb2.CollectionConfigPackage, package_raw)
    if len(package.config) > COLLECTIONS_MAX:
        raise InvalidMessage(Reason.OVERSIZED, f"more than {COLLECTIONS_MAX} collections")
    found: dict[str, Collection] = {}
    for config in package.config:
        collection = _static_collection(config)
        if collection.name in found:
            raise _malformed(collection.name, "is defined twice")
        found[collection.name] = collection
    return MappingProxyType(found)


def collections_of_field(field_raw: bytes) -> Mapping[str, Collection]:
    """From a committed definition's field (lifecycle.StateData bytes); raises InvalidMessage."""
    return static_collections(parse_message(lifecycle_pb2.StateData, field_raw).Bytes)


def find_collection(name: str, static: Mapping[str, Collection]) -> Collection | None:
    """A collection of a defined chaincode, static or implicit."""
    mspid = implicit_member(name)
    return static.get(name) if mspid is None else implicit_collection(mspid)


def require_alternatives(collections: Mapping[str, Collection]) -> None:
    """Raise InvalidMessage unless the members of each are an OR of organizations."""
    for one in collections.values():
        if not _is_any_of(one.member_policy.rule):
            raise _malformed(one.name, "has a member policy that is not an OR of members")


def encode_collections(collections: Iterable[Collection]) -> bytes:
    """protos.CollectionConfigPackage bytes, in the order given."""
    package = protos_pb2.CollectionConfigPackage()
    for one in collections:
        wire = package.config.add().static_collection_config
        wire.name = one.name
        wire.member_orgs_policy.signature_policy.ParseFromString(
            encode_signature_policy(one.member_policy)
        )
        wire.required_peer_count = one.required_peer_count
        wire.maximum_peer_count = one.maximum_peer_count
        wire.block_to_live = one.block_to_live
        wire.member_only_read = one.member_only_read
        wire.member_only_write = one.member_only_write
        if one.endorsement_policy:
            wire.endorsement_policy.ParseFromString(one.endorsement_policy)
    return package.SerializeToString(deterministic=True)


def _static_collection(config: protos_pb2.CollectionConfig) -> Collection:
    wire = config.static_collection_config
    name = wire.name
    if not 0 < len(name) <= NAME_CHARACTERS_MAX or implicit_member(name) is not None:
        raise _malformed(name, "is no name for a static collection")
    if wire.member_orgs_policy.WhichOneof("payload") is None:
        raise _malformed(name, "has no member policy")
    if not 0 <= wire.required_peer_count <= wire.maximum_peer_count <= PEER_COUNT_MAX:
        raise _malformed(name, f"needs 0 <= required <= maximum peers <= {PEER_COUNT_MAX}")
    endorsement = b""
    if wire.HasField("endorsement_policy"):
        endorsement = wire.endorsement_policy.SerializeToString(deterministic=True)
    return Collection(
        name=name,
        member_policy=decode_signature_policy(
            wire.member_orgs_policy.signature_policy.SerializeToString()
        ),
        required_peer_count=wire.required_peer_count,
        maximum_peer_count=wire.maximum_peer_count,
        block_to_live=wire.block_to_live,
        member_only_read=wire.member_only_read,
        member_only_write=wire.member_only_write,
        endorsement_policy=endorsement,
    )


def _is_any_of(rule: Rule) -> bool:
    return isinstance(rule, SignedBy) or (rule.n == 1 and all(map(_is_any_of, rule.rules)))


def _malformed(name: str, what: str) -> InvalidMessage:
    return InvalidMessage(Reason.MALFORMED, f"collection {name[:80]!r} {what}")

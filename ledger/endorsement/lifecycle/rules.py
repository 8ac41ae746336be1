"""What a chaincode definition must be before a peer endorses an approval or a commit of it.

The rules and the texts are Fabric's.
"""

import re
from collections.abc import Collection as AnyOf
from collections.abc import Iterable, Mapping

from google.protobuf.message import DecodeError

from ledger.endorsement.lifecycle.definitions import FullDefinition
from ledger.endorsement.system.chaincodes import STATUS_ERROR, STATUS_NOT_FOUND
from ledger.errors import GridledgerError, InvalidMessage
from ledger.model import transaction_limits
from ledger.model.policy_codec import decode_application_policy
from ledger.model.private_collections import COLLECTIONS_MAX, static_collections
from ledger.wire import common_pb2, protos_pb2

NAME_CHARACTERS_MAX = 64
VERSION_CHARACTERS_MAX = 64
COLLECTION_CHARACTERS_MAX = transaction_limits.NAME_CHARACTERS_MAX
RESERVED_NAMES = frozenset({"cscc", "escc", "lscc", "qscc", "vscc"})
_NAME = re.compile(r"[a-zA-Z0-9]+([-_][a-zA-Z0-9]+)*", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9_.+-]+", re.ASCII)
_COLLECTION = re.compile(r"[A-Za-z0-9-][A-Za-z0-9_-]*", re.ASCII)

StaticConfig = protos_pb2.StaticCollectionConfig


class LifecycleRefused(GridledgerError):  # noqa: N818 - a fact about one request
    """The request cannot be served; `status` goes into the response."""

    def __init__(self, text: str, status: int = STATUS_ERROR) -> None:
        super().__init__(text)
        self.status = status

    @property
    def is_not_found(self) -> bool:
        """Fabric answers these without naming the function."""
        return self.status == STATUS_NOT_FOUND


def require_definable(
    wanted: FullDefinition, committed: FullDefinition | None, members: AnyOf[str]
) -> None:
    """Raise LifecycleRefused unless members of the channel could agree on `wanted`."""
    try:
        _require_names(wanted)
        _require_policy(wanted.policy)
        collections = _static_configs(wanted.collections)
        for collection in collections:
            _require_collection(collection, members)
        static_collections(wanted.collections)
        if committed is not None:
            _require_kept(collections, _static_configs(committed.collections))
    except LifecycleRefused as refusal:
        raise LifecycleRefused(f"error validating chaincode definition: {refusal}") from refusal
    except InvalidMessage as error:
        raise LifecycleRefused(f"error validating chaincode definition: {error.detail}") from error


def require_next(wanted: FullDefinition, committed_sequence: int) -> None:
    """Raise LifecycleRefused unless a commit of `wanted` may follow."""
    following = committed_sequence + 1
    if wanted.sequence != following:
        raise LifecycleRefused(
            f"requested sequence is {wanted.sequence}, but new definition must be sequence"
            f" {following}"
        )


def require_approvable(
    wanted: FullDefinition, committed: FullDefinition | None, current: int
) -> None:
    """Raise LifecycleRefused unless `wanted` is the committed definition or its successor."""
    if wanted.sequence == current == 0:
        raise LifecycleRefused("requested sequence is 0, but first definable sequence number is 1")
    if wanted.sequence < current:
        raise LifecycleRefused(
            f"currently defined sequence {current} is larger than requested sequence"
            f" {wanted.sequence}"
        )
    if wanted.sequence > current + 1:
        raise LifecycleRefused(
            f"requested sequence {wanted.sequence} is larger than the next available sequence"
            f" number {current + 1}"
        )
    if committed is not None and wanted.sequence == current and wanted != committed:
        raise LifecycleRefused(
            f"attempted to redefine the current committed sequence ({current}) for namespace"
            f" {wanted.name} with different parameters: {_difference(committed, wanted)}"
        )


def _difference(committed: FullDefinition, wanted: FullDefinition) -> str:
    named: Mapping[str, tuple[object, object]] = {
        "Version": (committed.version, wanted.version),
        "EndorsementPlugin": (committed.endorsement_plugin, wanted.endorsement_plugin),
        "InitRequired": (_go(committed.init_required), _go(wanted.init_required)),
        "ValidationPlugin": (committed.validation_plugin, wanted.validation_plugin),
        "ValidationParameter": (committed.policy.hex(), wanted.policy.hex()),
    }
    for name, (expected, passed) in named.items():
        if expected != passed:
            return f"expected {name} '{expected}' does not match passed {name} '{passed}'"
    return "Collections do not match"


def _go(value: bool) -> str:  # noqa: FBT001 - it is the value
    return str(value).lower()


def _require_names(wanted: FullDefinition) -> None:
    name, version = wanted.name[: NAME_CHARACTERS_MAX + 1], wanted.version
    if len(name) > NAME_CHARACTERS_MAX or not _NAME.fullmatch(name):
        raise LifecycleRefused(
            f"invalid chaincode name {name!r}. Names can only consist of alphanumerics, '_', and"
            " '-' and can only begin with alphanumerics"
        )
    if name in RESERVED_NAMES:
        raise LifecycleRefused(f"chaincode name '{name}' is the name of a system chaincode")
    if len(version) > VERSION_CHARACTERS_MAX or not _VERSION.fullmatch(version):
        raise LifecycleRefused(
            f"invalid chaincode version {version[:VERSION_CHARACTERS_MAX]!r}. Versions can only"
            " consist of alphanumerics, '_', '-', '+', and '.'"
        )


def _require_policy(policy: bytes) -> None:
    """Fabric finds out at the first transaction; nobody is served by a policy without meaning."""
    try:
        decode_application_policy(policy)
    except InvalidMessage as error:
        raise LifecycleRefused(f"the endorsement policy cannot be used: {error.detail}") from error


def _static_configs(raw: bytes) -> list[StaticConfig]:
    try:
        configs = protos_pb2.CollectionConfigPackage.FromString(raw).config
    except DecodeError as error:
        raise LifecycleRefused("the collection configuration does not parse") from error
    if len(configs) > COLLECTIONS_MAX:
        raise LifecycleRefused(f"more than {COLLECTIONS_MAX} collections")
    if any(not config.HasField("static_collection_config") for config in configs):
        raise LifecycleRefused("collection configuration is empty")
    found = [config.static_collection_config for config in configs]
    names: set[str] = set()
    for collection in found:
        name = collection.name
        if len(name) > COLLECTION_CHARACTERS_MAX or not _COLLECTION.fullmatch(name):
            raise LifecycleRefused(
                f"invalid collection name {name[:80]!r}. Names can only consist of"
                " alphanumerics, '_', and '-' and cannot begin with '_'"
            )
        if name in names:
            raise LifecycleRefused(
                f"collection-name: {name} -- found duplicate in collection configuration"
            )
        names.add(name)
    return found


def _require_collection(collection: StaticConfig, members: AnyOf[str]) -> None:
    where = f"collection-name: {collection.name} --"
    required, maximum = collection.required_peer_count, collection.maximum_peer_count
    if maximum < required:
        raise LifecycleRefused(
            f"{where} maximum peer count ({maximum}) cannot be less than the required peer count"
            f" ({required})"
        )
    if required < 0:
        raise LifecycleRefused(f"{where} requiredPeerCount ({required}) cannot be less than zero")
    if not collection.HasField("member_orgs_policy"):
        raise LifecycleRefused(
            f"collection member policy is not set for collection '{collection.name}'"
        )
    if not collection.member_orgs_policy.HasField("signature_policy"):
        raise LifecycleRefused(
            f"collection member org policy is empty for collection '{collection.name}'"
        )
    policy = collection.member_orgs_policy.signature_policy
    _require_alternatives(where, policy.rule)
    for mspid in _organizations(where, policy):
        if mspid not in members:
            raise LifecycleRefused(
                f"{where} collection member '{mspid[:80]}' is not part of the channel"
            )


def _require_alternatives(where: str, rule: common_pb2.SignaturePolicy) -> None:
    """Members are any of those named: the policy may only say OR."""
    if rule.WhichOneof("Type") != "n_out_of":
        return
    if rule.n_out_of.n != 1:
        raise LifecycleRefused(
            f"{where} error in member org policy: signature policy is not an OR concatenation,"
            f" NOutOf {rule.n_out_of.n}"
        )
    for inner in rule.n_out_of.rules:
        _require_alternatives(where, inner)


def _organizations(where: str, policy: common_pb2.SignaturePolicyEnvelope) -> Iterable[str]:
    for principal in policy.identities:
        if principal.principal_classification != common_pb2.MSPPrincipal.ROLE:
            raise LifecycleRefused(
                f"{where} principal type {principal.principal_classification} is not supported"
            )
        try:
            yield common_pb2.MSPRole.FromString(principal.principal).msp_identifier
        except DecodeError as error:
            raise LifecycleRefused(
                f"{where} cannot unmarshal identity bytes into MSPRole"
            ) from error


def _require_kept(wanted: list[StaticConfig], committed: list[StaticConfig]) -> None:
    """Collections stay, and so does how long they keep values."""
    if committed and not wanted:
        raise LifecycleRefused(
            "the proposed collection config does not contain previously defined collections"
        )
    by_name = {collection.name: collection for collection in wanted}
    for old in committed:
        new = by_name.get(old.name)
        if new is None:
            raise LifecycleRefused(
                f"existing collection [{old.name}] missing in the proposed collection"
                " configuration"
            )
        if new.block_to_live != old.block_to_live:
            raise LifecycleRefused(
                f"the BlockToLive in an existing collection [{old.name}] modified. Existing"
                f" value [{old.block_to_live}]"
            )

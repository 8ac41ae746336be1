"""Policies in the light of a channel's configuration: paths, implicit meta policies, raw bytes."""

from collections.abc import Sequence
from typing import TypeVar

from ledger.crypto.msp import Identity, MspRegistry
from ledger.crypto.peer_sets import Groups, Layout, Requirement, listed_layouts
from ledger.crypto.policy import is_satisfied, not_satisfied
from ledger.errors import InvalidMessage
from ledger.model.config import DEFAULT_ENDORSEMENT_POLICY, ChannelConfig
from ledger.model.policy import (
    ApplicationPolicy,
    ImplicitMeta,
    MetaRule,
    PolicyReference,
    SignaturePolicy,
)
from ledger.model.policy_codec import (
    decode_application_policy,
    decode_signature_policy,
    encode_application_policy,
)

P = TypeVar("P", ApplicationPolicy, SignaturePolicy, Requirement, list[Layout])

NOBODY = Groups(needed=1, parts=())
"""What a policy that does not exist requires: nobody satisfies it."""
POLICIES_CACHED_MAX = 1_000
"""Decoded policies remembered; all are forgotten when full."""
SATISFIED_REMEMBERED_MAX = 20_000
"""(policy, identity) pairs remembered; all are forgotten when full."""

DEFAULT_APPLICATION_POLICY = encode_application_policy(PolicyReference(DEFAULT_ENDORSEMENT_POLICY))
"""ApplicationPolicy bytes for a chaincode that names no policy: the channel's majority."""


class ChannelPolicies:
    """Answers for one configuration; make a new one when the configuration changes.

    `signers` are SerializedIdentity bytes whose signatures were checked; one that is not a valid
    identity of a member counts as absent. The time is not looked at.
    """

    def __init__(self, config: ChannelConfig, registry: MspRegistry) -> None:
        self._config = config
        self._registry = registry
        self._application: dict[bytes, ApplicationPolicy] = {}
        self._of_keys: dict[bytes, SignaturePolicy] = {}
        self._requirements: dict[bytes, Requirement] = {}
        self._layouts: dict[bytes, list[Layout]] = {}
        self._satisfied: set[tuple[str, bytes]] = set()

    def require_application_policy(self, policy_raw: bytes, signers: Sequence[bytes]) -> None:
        """Raise InvalidMessage unless the signers satisfy protos.ApplicationPolicy bytes.

        POLICY_NOT_SATISFIED, or MALFORMED or OVERSIZED for a policy that cannot be read.
        """
        self._require(self._application_policy(policy_raw), self._identities(signers))

    def require_key_policy(self, policy_raw: bytes, signers: Sequence[bytes]) -> None:
        """The same for common.SignaturePolicyEnvelope bytes, a key's own policy."""
        self._require(self._key_policy(policy_raw), self._identities(signers))

    def require_path(self, path: str, identities: Sequence[Identity]) -> None:
        """Raise InvalidMessage unless they satisfy a policy of the channel, such as Writers.

        Who satisfied it alone is remembered: the same clients ask again and again.
        """
        alone = (path, identities[0].serialized) if len(identities) == 1 else None
        if alone in self._satisfied:
            return
        self._require(PolicyReference(path), identities)
        if alone is not None:
            if len(self._satisfied) >= SATISFIED_REMEMBERED_MAX:
                self._satisfied.clear()
            self._satisfied.add(alone)

    def requirement(self, policy_raw: bytes) -> Requirement:
        """ApplicationPolicy bytes with every path resolved, for planning."""
        found = self._requirements.get(policy_raw)
        if found is None:
            policy = self._application_policy(policy_raw)
            if isinstance(policy, PolicyReference):
                found = self._requirement_of_path(policy.path)
            else:
                found = policy
            _remember(self._requirements, policy_raw, found)
        return found

    def key_requirement(self, policy_raw: bytes) -> SignaturePolicy:
        """common.SignaturePolicyEnvelope bytes, a key's own policy."""
        return self._key_policy(policy_raw)

    def layouts(self, policy_raw: bytes) -> list[Layout]:
        """Peers that together satisfy ApplicationPolicy bytes, fewest first; not to be changed.

        Empty when there are none, or too many to list.
        """
        layouts = self._layouts.get(policy_raw)
        if layouts is None:
            layouts = listed_layouts(self.requirement(policy_raw))
            _remember(self._layouts, policy_raw, layouts)
        return layouts

    def _require(self, policy: ApplicationPolicy, identities: Sequence[Identity]) -> None:
        if isinstance(policy, SignaturePolicy):
            satisfied = is_satisfied(policy, identities)
        else:
            satisfied = self._path_is_satisfied(policy.path, identities)
        if not satisfied:
            raise not_satisfied(identities)

    def _path_is_satisfied(self, path: str, identities: Sequence[Identity]) -> bool:
        """A policy that does not exist is satisfied by nobody (it counts among its siblings)."""
        policy = self._config.policies.get(path)
        if policy is None:
            return False
        if isinstance(policy, SignaturePolicy):
            return is_satisfied(policy, identities)
        children = self._config.child_policy_paths(path, policy.sub_policy)
        satisfied = sum(self._path_is_satisfied(child, identities) for child in children)
        return satisfied >= _threshold(policy, len(children))

    def _requirement_of_path(self, path: str) -> Requirement:
        policy = self._config.policies.get(path)
        if policy is None:
            return NOBODY
        if isinstance(policy, SignaturePolicy):
            return policy
        children = self._config.child_policy_paths(path, policy.sub_policy)
        parts = tuple(self._requirement_of_path(child) for child in children)
        return Groups(_threshold(policy, len(children)), parts)

    def _application_policy(self, raw: bytes) -> ApplicationPolicy:
        policy = self._application.get(raw)
        if policy is None:
            policy = decode_application_policy(raw)
            _remember(self._application, raw, policy)
        return policy

    def _key_policy(self, raw: bytes) -> SignaturePolicy:
        policy = self._of_keys.get(raw)
        if policy is None:
            policy = decode_signature_policy(raw)
            _remember(self._of_keys, raw, policy)
        return policy

    def _identities(self, signers: Sequence[bytes]) -> list[Identity]:
        identities = []
        for signer in signers:
            try:
                identities.append(self._registry.identity(signer))
            except InvalidMessage:
                continue  # a stranger's signature neither helps nor harms
        return identities


def _threshold(policy: ImplicitMeta, groups: int) -> int:
    """How many groups must agree; without groups ANY and MAJORITY hold, as in Fabric."""
    if policy.rule is MetaRule.ALL:
        return groups
    if groups == 0:
        return 0
    return 1 if policy.rule is MetaRule.ANY else groups // 2 + 1


def _remember(cache: dict[bytes, P], raw: bytes, policy: P) -> None:
    if len(cache) >= POLICIES_CACHED_MAX:
        cache.clear()
    cache[raw] = policy

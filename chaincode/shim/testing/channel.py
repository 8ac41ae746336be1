"""The test channel: its members, their policies, and whose signatures count.

Members join when a test first names them. Configuration, registry and policies are the ledger's.
"""

from collections.abc import Mapping, Sequence

from chaincode.shim.testing.identities import TestIdentity, make_identity, member_config
from ledger.crypto.channel_policies import ChannelPolicies
from ledger.crypto.msp import MspRegistry
from ledger.crypto.policy_text import parse_policy
from ledger.crypto.signing import verify_signature
from ledger.errors import InvalidMessage
from ledger.model.config import APPLICATION, DEFAULT_ENDORSEMENT_POLICY, ChannelConfig
from ledger.model.policy import ImplicitMeta, MetaRule, Policy, PolicyReference
from ledger.model.policy_codec import encode_application_policy
from ledger.model.private_collections import Collection

ANY_MEMBER_PATH = f"{APPLICATION}/AnyEndorsement"
ANY_MEMBER = encode_application_policy(PolicyReference(ANY_MEMBER_PATH))
"""The default policy of the test ledger: one peer of one member."""
MAJORITY = encode_application_policy(PolicyReference(DEFAULT_ENDORSEMENT_POLICY))
"""The default policy of a real channel: peers of most members."""


def policy_bytes(text: str) -> bytes:
    """ApplicationPolicy bytes of "ANY", "MAJORITY" or a text like `AND('A.peer', 'B.peer')`."""
    named = {"ANY": ANY_MEMBER, "MAJORITY": MAJORITY}
    return named.get(text) or encode_application_policy(parse_policy(text))


class TestChannel:
    """Who takes part; answers what validation asks about signatures and policies."""

    __test__ = False  # not a test case, whatever its name says to pytest

    def __init__(self, channel_id: str) -> None:
        self.channel_id = channel_id
        self._peers: dict[str, TestIdentity] = {}
        self._impersonated: set[bytes] = set()
        self._verified: set[tuple[bytes, bytes, bytes]] = set()
        self._renew()

    @property
    def mspids(self) -> tuple[str, ...]:
        """Members, ascending."""
        return tuple(sorted(self._peers))

    def peer(self, mspid: str) -> TestIdentity:
        """The identity of the member's peer; the member joins if it is new."""
        if mspid not in self._peers:
            self._peers[mspid] = make_identity(mspid, f"peer.{mspid}", role="peer")
            self._renew()
        return self._peers[mspid]

    def signed(self, identity: TestIdentity, message: bytes) -> bytes:
        """The identity's signature; validation meets it again and need not verify it then."""
        signature = identity.sign(message)
        if identity.private_key is not None:
            self._verified.add((identity.creator, message, signature))
        return signature

    def accept_unsigned(self, identity: TestIdentity) -> None:
        """From here on the identity's signature is not asked for."""
        self.peer(identity.mspid)
        self._impersonated.add(identity.creator)

    def verify(self, identity: bytes, message: bytes, signature: bytes) -> bool:
        """See `ledger.validation.context.SignatureChecker`."""
        signed = (identity, message, signature)
        if identity in self._impersonated:
            return True
        try:
            key = self._registry.identity(identity).public_key
            if signed not in self._verified:
                verify_signature(key, message, signature)
        except InvalidMessage:
            return False
        self._verified.add(signed)
        return True

    def require_application_policy(self, policy_raw: bytes, signers: Sequence[bytes]) -> None:
        """See `ledger.validation.context.PolicyEvaluator`."""
        self._policies.require_application_policy(policy_raw, signers)

    def require_key_policy(self, policy_raw: bytes, signers: Sequence[bytes]) -> None:
        """See `ledger.validation.context.PolicyEvaluator`."""
        self._policies.require_key_policy(policy_raw, signers)

    def is_member_of(self, collection: Collection, creator: TestIdentity) -> bool:
        """Whether the creator satisfies the collection's member policy."""
        if creator.creator in self._impersonated:
            return creator.mspid in collection.members
        identity = self._registry.identity(creator.creator)
        return any(map(identity.satisfies, collection.member_policy.principals))

    def _renew(self) -> None:
        policies: dict[str, Policy] = {
            ANY_MEMBER_PATH: ImplicitMeta(MetaRule.ANY, "Endorsement"),
            DEFAULT_ENDORSEMENT_POLICY: ImplicitMeta(MetaRule.MAJORITY, "Endorsement"),
            **_endorsing(self._peers),
        }
        config = ChannelConfig(
            channel_id=self.channel_id,
            network_id="test",
            members=tuple(map(member_config, self.mspids)),
            consenters=(),
            policies=policies,
        )
        self._registry = MspRegistry(config)
        self._policies = ChannelPolicies(config, self._registry)


def _endorsing(peers: Mapping[str, TestIdentity]) -> dict[str, Policy]:
    """Each member's Endorsement policy: its peers."""
    return {
        f"{APPLICATION}/{mspid}/Endorsement": parse_policy(f"OR('{mspid}.peer')")
        for mspid in peers
    }

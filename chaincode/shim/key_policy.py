"""Policies of single keys: which members' peers must endorse a change of this key.

    policy = KeyPolicy(await ctx.stub.get_state_validation_parameter(key))
    policy.add_orgs("PEER", "SellerMSP", "BuyerMSP")
    await ctx.stub.set_state_validation_parameter(key, policy.policy())

A key's policy takes the place of the chaincode's for that key. Setting it is itself a change
that needs the policy in force, and it holds for blocks after the one that set it.
"""

from collections.abc import Iterable

from google.protobuf.message import DecodeError

from chaincode.shim.errors import ContractError
from ledger.wire import common_pb2
from ledger.wire.common_pb2 import MSPPrincipal, MSPRole, SignaturePolicyEnvelope

ROLES = ("MEMBER", "ADMIN", "CLIENT", "PEER", "ORDERER")


class KeyPolicy:
    """A list of members with the role their signer must have, after Fabric's state-based policies.

    By default all of them must sign; `policy(needed=2)` asks for two of them.
    """

    def __init__(self, policy: bytes = b"") -> None:
        """Begin with a key's present policy, or empty; ContractError if it cannot be listed."""
        self._role_of = _listed(policy) if policy else {}

    def add_orgs(self, role: str, *mspids: str) -> None:
        """Members whose signer must have the role (MEMBER, ADMIN, CLIENT, PEER, ORDERER)."""
        if role not in ROLES:
            raise ContractError("INVALID_POLICY", f"{role!r} is none of {', '.join(ROLES)}")
        for mspid in mspids:
            self._role_of[mspid] = role

    def del_orgs(self, *mspids: str) -> None:
        """Members that need not sign any more."""
        for mspid in mspids:
            self._role_of.pop(mspid, None)

    def list_orgs(self) -> list[str]:
        """Members listed, ascending."""
        return sorted(self._role_of)

    def policy(self, *, needed: int | None = None) -> bytes:
        """SignaturePolicyEnvelope bytes: `needed` of the members sign, all if None."""
        mspids = self.list_orgs()
        if not mspids:
            raise ContractError("INVALID_POLICY", "a policy lists at least one member")
        if needed is None:
            needed = len(mspids)
        if not 1 <= needed <= len(mspids):
            raise ContractError("INVALID_POLICY", f"{needed} of {len(mspids)} cannot be asked")
        leaves = [common_pb2.SignaturePolicy(signed_by=index) for index in range(len(mspids))]
        rule = common_pb2.SignaturePolicy.NOutOf(n=needed, rules=leaves)
        return SignaturePolicyEnvelope(
            rule=common_pb2.SignaturePolicy(n_out_of=rule),
            identities=[self._principal(mspid) for mspid in mspids],
        ).SerializeToString(deterministic=True)

    def _principal(self, mspid: str) -> MSPPrincipal:
        role = MSPRole(msp_identifier=mspid, role=self._role_of[mspid])
        return MSPPrincipal(
            principal_classification=MSPPrincipal.ROLE,
            principal=role.SerializeToString(deterministic=True),
        )


def signed_by_all(mspids: Iterable[str]) -> bytes:
    """The policy that a peer of each of these members endorses."""
    policy = KeyPolicy()
    policy.add_orgs("PEER", *mspids)
    return policy.policy()


def _listed(raw: bytes) -> dict[str, str]:
    """Member → role; only roles of members can be listed, not single certificates."""
    try:
        principals = SignaturePolicyEnvelope.FromString(raw).identities
        if any(p.principal_classification != MSPPrincipal.ROLE for p in principals):
            raise ContractError("INVALID_POLICY", "the policy names other than members' roles")
        roles = [MSPRole.FromString(principal.principal) for principal in principals]
        return {role.msp_identifier: MSPRole.MSPRoleType.Name(role.role) for role in roles}
    except (DecodeError, ValueError):
        raise ContractError("INVALID_POLICY", "not SignaturePolicyEnvelope bytes") from None

"""The policies of a configuration tree, evaluated as Fabric evaluates them."""

from fabric_protos.common import policies_pb2

from tests.follower.membership import Identity, Memberships
from tests.follower.refusal import Refused, require

ROOT = "Channel"


class Policies:
    """Policies by their path without the leading slash, such as `Channel/Orderer/Admins`."""

    def __init__(self, root, memberships: Memberships) -> None:
        self._memberships = memberships
        self._groups = {}
        self._policies = {}
        self._collect(ROOT, root)
        for path, policy in self._policies.items():
            self._compile(path, policy)

    def _collect(self, path: str, group) -> None:
        self._groups[path] = group
        for name, policy in group.policies.items():
            require(policy.HasField("policy"), f"policy {path}/{name} is nil")
            self._policies[f"{path}/{name}"] = policy.policy
        for name, child in group.groups.items():
            self._collect(f"{path}/{name}", child)

    def _compile(self, path: str, policy) -> None:
        """What Fabric refuses when it reads the configuration, before it evaluates anything."""
        if policy.type == policies_pb2.Policy.SIGNATURE:
            envelope = policies_pb2.SignaturePolicyEnvelope.FromString(policy.value)
            require(envelope.version == 0, f"{path}: version {envelope.version}")
            _check_rule(path, envelope.rule, len(envelope.identities))
        elif policy.type == policies_pb2.Policy.IMPLICIT_META:
            policies_pb2.ImplicitMetaPolicy.FromString(policy.value)
        else:
            raise Refused(f"{path}: unknown policy type {policy.type}")

    def __contains__(self, path: str) -> bool:
        return path in self._policies

    def is_satisfied(self, path: str, signers: list[Identity]) -> bool:
        """Whether these members together satisfy the policy; a missing one never is."""
        policy = self._policies.get(path)
        if policy is None:
            return False
        if policy.type == policies_pb2.Policy.SIGNATURE:
            envelope = policies_pb2.SignaturePolicyEnvelope.FromString(policy.value)
            used = [False] * len(signers)
            return self._holds(envelope.rule, envelope.identities, signers, used)
        meta = policies_pb2.ImplicitMetaPolicy.FromString(policy.value)
        group = path.rpartition("/")[0]
        children = [f"{group}/{name}/{meta.sub_policy}" for name in self._groups[group].groups]
        satisfied = sum(self.is_satisfied(child, signers) for child in children)
        return satisfied >= _threshold(meta.rule, len(children))

    def _holds(self, rule, principals, signers: list[Identity], used: list[bool]) -> bool:
        """Each signer counts for one leaf; a rule that fails gives back whom it took."""
        if rule.WhichOneof("Type") == "signed_by":
            principal = principals[rule.signed_by]
            for index, signer in enumerate(signers):
                if not used[index] and self._satisfies(signer, principal):
                    used[index] = True
                    return True
            return False
        satisfied = 0
        for child in rule.n_out_of.rules:
            attempt = list(used)
            if self._holds(child, principals, signers, attempt):
                satisfied += 1
                used[:] = attempt
        return satisfied >= rule.n_out_of.n

    def _satisfies(self, signer: Identity, principal) -> bool:
        try:
            self._memberships.of(signer).check_principal(signer, principal)
        except Refused:
            return False
        return True


def _check_rule(path: str, rule, principals: int) -> None:
    kind = rule.WhichOneof("Type")
    if kind == "signed_by":
        require(0 <= rule.signed_by < principals, f"{path}: identity index out of range")
    elif kind == "n_out_of":
        for child in rule.n_out_of.rules:
            _check_rule(path, child, principals)
    else:
        raise Refused(f"{path}: empty policy element")


def _threshold(rule: int, children: int) -> int:
    if not children:
        return 0
    if rule == policies_pb2.ImplicitMetaPolicy.ANY:
        return 1
    return children if rule == policies_pb2.ImplicitMetaPolicy.ALL else children // 2 + 1

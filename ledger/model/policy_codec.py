"""Fabric's bytes of policies: signature policies, application policies, configuration policies."""

from typing import TypeVar

from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_header import decode_identity, encode_identity
from ledger.model.codec_parsing import parse_message
from ledger.model.policy import (
    POLICY_DEPTH_MAX,
    POLICY_LEAVES_MAX,
    ApplicationPolicy,
    IdentityPrincipal,
    ImplicitMeta,
    MetaRule,
    NOutOf,
    Policy,
    PolicyReference,
    Principal,
    Role,
    Rule,
    SignaturePolicy,
    SignedBy,
)
from ledger.wire import common_pb2, protos_pb2

E = TypeVar("E", Role, MetaRule)

_ROLE = common_pb2.MSPPrincipal.ROLE
_IDENTITY = common_pb2.MSPPrincipal.IDENTITY


# -- signature policies ---------------------------------------------------------------------------


def encode_signature_policy(policy: SignaturePolicy) -> bytes:
    """SignaturePolicyEnvelope bytes."""
    return _wire_signature_policy(policy).SerializeToString(deterministic=True)


def decode_signature_policy(raw: bytes) -> SignaturePolicy:
    """From SignaturePolicyEnvelope bytes; raises InvalidMessage MALFORMED or OVERSIZED."""
    return _signature_policy(parse_message(common_pb2.SignaturePolicyEnvelope, raw))


def encode_application_policy(policy: ApplicationPolicy) -> bytes:
    """ApplicationPolicy bytes: what a chaincode definition names as endorsement policy."""
    if isinstance(policy, PolicyReference):
        wire = protos_pb2.ApplicationPolicy(channel_config_policy_reference=policy.path)
    else:
        wire = protos_pb2.ApplicationPolicy(signature_policy=_wire_signature_policy(policy))
    return wire.SerializeToString(deterministic=True)


def decode_application_policy(raw: bytes) -> ApplicationPolicy:
    """From ApplicationPolicy bytes; raises InvalidMessage MALFORMED or OVERSIZED."""
    wire = parse_message(protos_pb2.ApplicationPolicy, raw)
    match wire.WhichOneof("Type"):
        case "signature_policy":
            return _signature_policy(wire.signature_policy)
        case "channel_config_policy_reference":
            return PolicyReference(wire.channel_config_policy_reference)
    raise InvalidMessage(Reason.MALFORMED, "the application policy is empty")


# -- policies of the channel configuration --------------------------------------------------------


def wire_policy(policy: Policy) -> common_pb2.Policy:
    """common.Policy of a configuration group."""
    if isinstance(policy, SignaturePolicy):
        return common_pb2.Policy(
            type=common_pb2.Policy.SIGNATURE, value=encode_signature_policy(policy)
        )
    meta = common_pb2.ImplicitMetaPolicy(
        sub_policy=policy.sub_policy, rule=common_pb2.ImplicitMetaPolicy.Rule.Name(policy.rule)
    )
    return common_pb2.Policy(
        type=common_pb2.Policy.IMPLICIT_META, value=meta.SerializeToString(deterministic=True)
    )


def policy_from_wire(wire: common_pb2.Policy) -> Policy:
    """The policy in a configuration group; raises InvalidMessage MALFORMED or OVERSIZED."""
    if wire.type == common_pb2.Policy.SIGNATURE:
        return decode_signature_policy(wire.value)
    if wire.type == common_pb2.Policy.IMPLICIT_META:
        meta = parse_message(common_pb2.ImplicitMetaPolicy, wire.value)
        return ImplicitMeta(_member_of(MetaRule, meta.rule, "rule"), meta.sub_policy)
    raise InvalidMessage(Reason.MALFORMED, f"policy type {wire.type} is not supported")


# -- inside ---------------------------------------------------------------------------------------


def _wire_signature_policy(policy: SignaturePolicy) -> common_pb2.SignaturePolicyEnvelope:
    return common_pb2.SignaturePolicyEnvelope(
        version=0,
        rule=_wire_rule(policy.rule),
        identities=[_wire_principal(principal) for principal in policy.principals],
    )


def _wire_rule(rule: Rule) -> common_pb2.SignaturePolicy:
    if isinstance(rule, SignedBy):
        return common_pb2.SignaturePolicy(signed_by=rule.principal_index)
    return common_pb2.SignaturePolicy(
        n_out_of=common_pb2.SignaturePolicy.NOutOf(
            n=rule.n, rules=[_wire_rule(child) for child in rule.rules]
        )
    )


def _wire_principal(principal: Principal | IdentityPrincipal) -> common_pb2.MSPPrincipal:
    if isinstance(principal, IdentityPrincipal):
        return common_pb2.MSPPrincipal(
            principal_classification=_IDENTITY,
            principal=encode_identity(principal.mspid, principal.certificate_pem),
        )
    role = common_pb2.MSPRole(
        msp_identifier=principal.mspid,
        role=common_pb2.MSPRole.MSPRoleType.Name(principal.role),
    )
    return common_pb2.MSPPrincipal(
        principal_classification=_ROLE, principal=role.SerializeToString(deterministic=True)
    )


def _signature_policy(wire: common_pb2.SignaturePolicyEnvelope) -> SignaturePolicy:
    if wire.version != 0 or not wire.HasField("rule"):
        raise InvalidMessage(Reason.MALFORMED, "a signature policy has version 0 and a rule")
    if len(wire.identities) > POLICY_LEAVES_MAX:
        raise InvalidMessage(Reason.OVERSIZED, f"more than {POLICY_LEAVES_MAX} principals")
    principals = tuple(_principal(principal) for principal in wire.identities)
    reader = _RuleReader(principal_count=len(principals))
    return SignaturePolicy(rule=reader.read(wire.rule, depth=0), principals=principals)


class _RuleReader:
    """Reads one tree of rules within the limits on its depth and size."""

    def __init__(self, *, principal_count: int) -> None:
        self._principal_count = principal_count
        self._nodes_left = 2 * POLICY_LEAVES_MAX

    def read(self, wire: common_pb2.SignaturePolicy, *, depth: int) -> Rule:
        self._nodes_left -= 1
        if depth > POLICY_DEPTH_MAX or self._nodes_left < 0:
            raise InvalidMessage(
                Reason.OVERSIZED,
                f"a policy has at most {POLICY_DEPTH_MAX} levels and {POLICY_LEAVES_MAX} leaves",
            )
        match wire.WhichOneof("Type"):
            case "signed_by":
                if not 0 <= wire.signed_by < self._principal_count:
                    raise InvalidMessage(
                        Reason.MALFORMED, f"a rule asks for unknown principal {wire.signed_by}"
                    )
                return SignedBy(wire.signed_by)
            case "n_out_of":
                children = wire.n_out_of.rules
                return NOutOf(
                    n=wire.n_out_of.n,
                    rules=tuple(self.read(child, depth=depth + 1) for child in children),
                )
        raise InvalidMessage(Reason.MALFORMED, "a rule of the policy is empty")


def _principal(wire: common_pb2.MSPPrincipal) -> Principal | IdentityPrincipal:
    if wire.principal_classification == _ROLE:
        role = parse_message(common_pb2.MSPRole, wire.principal)
        return Principal(role.msp_identifier, _member_of(Role, role.role, "role"))
    if wire.principal_classification == _IDENTITY:
        mspid, certificate_pem = decode_identity(wire.principal)
        return IdentityPrincipal(mspid, certificate_pem)
    raise InvalidMessage(
        Reason.MALFORMED, f"principals of kind {wire.principal_classification} are not supported"
    )


def _member_of(kind: type[E], number: int, name: str) -> E:
    try:
        return kind(number)
    except ValueError:
        raise InvalidMessage(Reason.MALFORMED, f"unknown {name} {number} in a policy") from None

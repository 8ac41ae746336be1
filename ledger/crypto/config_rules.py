"""Which configuration may follow which: our rules over an update that its signers agreed on.

A majority of admins may change much, but not so that the validators could no longer agree, nor so
that blocks no longer fit. Pure: both configurations in, a named reason out.
"""

from ledger.crypto.certificates import Certificate, parse_certificate
from ledger.crypto.msp import MspRegistry
from ledger.errors import InvalidMessage, Reason
from ledger.model.codec_block import BLOCK_TRANSACTIONS_MAX
from ledger.model.codec_header import encode_identity
from ledger.model.config import (
    ABSOLUTE_BYTES_MAX,
    ABSOLUTE_BYTES_MIN,
    ADMINS_POLICY,
    APPLICATION,
    BLOCK_BYTES_MAX,
    BLOCK_BYTES_MIN,
    BLOCK_INTERVAL_MS_MAX,
    BLOCK_VALIDATION_POLICY,
    ORDERER,
    ChannelConfig,
    Consenter,
    block_validation_policy,
)
from ledger.model.policy import Role

VALIDATOR_CHANGES_MAX = 1
"""Per update: with one change at a time, old and new quorums always share an honest validator."""


def check_successor(old: ChannelConfig, new: ChannelConfig, *, validators_min: int) -> None:
    """Raise InvalidMessage unless `new` may follow `old`.

    `validators_min` is four, or fewer on a channel that was founded with fewer (for development).
    Reasons: those of `MspRegistry`, SETTING_FIXED, UNKNOWN_POLICY, LIMIT_OUT_OF_BOUNDS,
    TOO_MANY_VALIDATOR_CHANGES, TOO_FEW_VALIDATORS, VALIDATOR_ID_REUSED, VALIDATOR_KEY_INVALID and
    BLOCK_POLICY_MISMATCH.
    """
    _check_fixed(old, new)
    _check_policies(new)
    _check_limits(new)
    _check_validator_changes(old, new, validators_min)
    _check_keys(old, new, MspRegistry(new))
    if new.policies.get(BLOCK_VALIDATION_POLICY) != block_validation_policy(new.consenters):
        raise InvalidMessage(
            Reason.BLOCK_POLICY_MISMATCH,
            "BlockValidation must be a quorum of exactly the consenters' certificates",
        )


def changed_validators(old: ChannelConfig, new: ChannelConfig) -> tuple[int, ...]:
    """Ids added, removed, moved or given another key; a renewed certificate changes nobody."""
    before = {one.consenter_id: one for one in old.consenters}
    after = {one.consenter_id: one for one in new.consenters}
    return tuple(
        sorted(
            consenter_id
            for consenter_id in before.keys() | after.keys()
            if not _is_same(before.get(consenter_id), after.get(consenter_id))
        )
    )


def _is_same(before: Consenter | None, after: Consenter | None) -> bool:
    if before is None or after is None:
        return False
    if before == after:
        return True
    return _essence(before) == _essence(after)


def _essence(consenter: Consenter) -> tuple[object, ...]:
    keys = (_certificate(consenter, pem).public_key_der for pem in _certificates(consenter))
    return (consenter.mspid, consenter.host, consenter.port, *keys)


def _check_fixed(old: ChannelConfig, new: ChannelConfig) -> None:
    for name in (
        "channel_id",
        "network_id",
        "channel_capabilities",
        "orderer_capabilities",
        "application_capabilities",
    ):
        if getattr(old, name) != getattr(new, name):
            raise InvalidMessage(
                Reason.SETTING_FIXED,
                f"{name} stays {getattr(old, name)!r}, got {getattr(new, name)!r}",
            )


def _check_policies(new: ChannelConfig) -> None:
    """Without these nobody could ever change the channel again, or use it."""
    paths = [ADMINS_POLICY, f"{APPLICATION}/Admins", f"{ORDERER}/Admins"]
    for member in new.members:
        if member.in_application:
            paths += [f"{APPLICATION}/{member.mspid}/{name}" for name in ("Admins", "Endorsement")]
        if member.in_orderer:
            paths.append(f"{ORDERER}/{member.mspid}/Admins")
    for path in paths:
        if path not in new.policies:
            raise InvalidMessage(Reason.UNKNOWN_POLICY, f"the policy {path} is missing")


def _check_limits(new: ChannelConfig) -> None:
    limits = new.batch_limits
    absolute_min = max(limits.max_bytes, ABSOLUTE_BYTES_MIN)
    for name, value, least, most in (
        ("max_transactions", limits.max_transactions, 1, BLOCK_TRANSACTIONS_MAX),
        ("max_bytes", limits.max_bytes, BLOCK_BYTES_MIN, BLOCK_BYTES_MAX),
        ("absolute_max_bytes", limits.absolute_max_bytes, absolute_min, ABSOLUTE_BYTES_MAX),
        ("block_interval_ms", new.block_interval_ms, 0, BLOCK_INTERVAL_MS_MAX),
    ):
        if not least <= value <= most:
            raise InvalidMessage(
                Reason.LIMIT_OUT_OF_BOUNDS, f"{name} must be {least} to {most}, got {value}"
            )


def _check_validator_changes(old: ChannelConfig, new: ChannelConfig, validators_min: int) -> None:
    changed = changed_validators(old, new)
    if len(changed) > VALIDATOR_CHANGES_MAX:
        names = ", ".join(map(str, changed))
        raise InvalidMessage(
            Reason.TOO_MANY_VALIDATOR_CHANGES,
            f"one validator may change at a time, this changes {names}",
        )
    if len(new.consenters) < validators_min:
        raise InvalidMessage(
            Reason.TOO_FEW_VALIDATORS,
            f"{len(new.consenters)} validators would be left, {validators_min} are needed",
        )
    before = {one.consenter_id: one for one in old.consenters}
    after = {one.consenter_id: one for one in new.consenters}
    removed = max((i for i in before if i not in after), default=0)
    if new.removed_consenter_id != max(old.removed_consenter_id, removed):
        raise InvalidMessage(
            Reason.VALIDATOR_ID_REUSED,
            f"the highest removed number is {max(old.removed_consenter_id, removed)}, "
            f"the update says {new.removed_consenter_id}",
        )
    for consenter_id, consenter in after.items():
        earlier = before.get(consenter_id)
        if earlier is None and consenter_id <= old.removed_consenter_id:
            raise InvalidMessage(
                Reason.VALIDATOR_ID_REUSED,
                f"number {consenter_id} may have been another validator's; numbers above "
                f"{old.removed_consenter_id} are free",
            )
        if earlier is not None and earlier.mspid != consenter.mspid:
            raise InvalidMessage(
                Reason.VALIDATOR_ID_REUSED,
                f"validator {consenter_id} is {earlier.mspid}'s and cannot pass to "
                f"{consenter.mspid}",
            )


def _check_keys(old: ChannelConfig, new: ChannelConfig, registry: MspRegistry) -> None:
    """Keys are distinct; a changed validator's certificates parse and are its member's."""
    changed = changed_validators(old, new)
    owners: dict[bytes, int] = {}
    ordering = {member.mspid for member in new.members if member.in_orderer}
    for consenter in new.consenters:
        if consenter.mspid not in ordering:
            raise InvalidMessage(
                Reason.UNKNOWN_MEMBER,
                f"validator {consenter.consenter_id} needs {consenter.mspid!r} in ordering",
            )
        own = {_certificate(consenter, pem).public_key_der for pem in _certificates(consenter)}
        _claim(owners, own, consenter.consenter_id)
        if consenter.consenter_id in changed:
            _check_one_tls_key(consenter)
            identity = encode_identity(consenter.mspid, consenter.identity_pem)
            registry.identity(identity).require_role(Role.PEER, Role.ORDERER)


def _check_one_tls_key(consenter: Consenter) -> None:
    """A node presents one key, whichever side opens the connection."""
    keys = {
        _certificate(consenter, pem).public_key_der
        for pem in (consenter.client_tls_cert, consenter.server_tls_cert)
    }
    if len(keys) != 1:
        raise InvalidMessage(
            Reason.VALIDATOR_KEY_INVALID,
            f"validator {consenter.consenter_id} has two TLS keys, one for each direction",
        )


def _claim(owners: dict[bytes, int], keys: set[bytes], consenter_id: int) -> None:
    for key in keys:
        if owners.setdefault(key, consenter_id) != consenter_id:
            raise InvalidMessage(
                Reason.VALIDATOR_KEY_INVALID,
                f"validators {owners[key]} and {consenter_id} have the same key",
            )


def _certificates(consenter: Consenter) -> tuple[bytes, ...]:
    return (consenter.identity_pem, consenter.client_tls_cert, consenter.server_tls_cert)


def _certificate(consenter: Consenter, pem: bytes) -> Certificate:
    try:
        return parse_certificate(pem)
    except InvalidMessage as error:
        raise InvalidMessage(
            Reason.VALIDATOR_KEY_INVALID,
            f"a certificate of validator {consenter.consenter_id} is {error.detail}",
        ) from error

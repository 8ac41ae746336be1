"""The update that leads from one configuration to another: what a client computes and signs.

Only what differs is in the write set. A group whose membership changes lists all its members by
version, so that two updates of the same group cannot both succeed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger.errors import InvalidMessage, Reason
from ledger.wire import common_pb2


def compute_update(
    original: common_pb2.Config, updated: common_pb2.Config, *, channel_id: str
) -> common_pb2.ConfigUpdate:
    """Read set and write set of the change; versions in `updated` are not looked at.

    Raises InvalidMessage CONFIG_UNCHANGED.
    """
    difference = _group(original.channel_group, updated.channel_group)
    if not difference.is_changed:
        raise InvalidMessage(
            Reason.CONFIG_UNCHANGED, "no differences detected between original and updated config"
        )
    return common_pb2.ConfigUpdate(
        channel_id=channel_id, read_set=difference.read, write_set=difference.write
    )


@dataclass(slots=True)
class _Difference:
    """Read and write set of one group while they are being gathered."""

    version: int
    read: common_pb2.ConfigGroup = field(default_factory=common_pb2.ConfigGroup)
    write: common_pb2.ConfigGroup = field(default_factory=common_pb2.ConfigGroup)
    same: common_pb2.ConfigGroup = field(default_factory=common_pb2.ConfigGroup)
    """Members that stay as they are, by version only."""
    is_changed: bool = False
    has_other_members: bool = False


def _group(original: common_pb2.ConfigGroup, updated: common_pb2.ConfigGroup) -> _Difference:
    found = _Difference(original.version)
    _compare_values(found, original.values, updated.values)
    _compare_policies(found, original.policies, updated.policies)
    _compare_groups(found, original.groups, updated.groups)
    found.read.version = found.write.version = original.version
    if found.has_other_members or original.mod_policy != updated.mod_policy:
        found.is_changed = True
        found.write.version += 1
        found.write.mod_policy = updated.mod_policy
        found.read.MergeFrom(found.same)
        found.write.MergeFrom(found.same)
    return found


def _compare_values(
    found: _Difference,
    original: Mapping[str, common_pb2.ConfigValue],
    updated: Mapping[str, common_pb2.ConfigValue],
) -> None:
    found.has_other_members |= set(original) != set(updated)
    for key in sorted(updated):
        new, old = updated[key], original.get(key, None)
        if old is not None and (old.value, old.mod_policy) == (new.value, new.mod_policy):
            found.same.values[key].version = old.version
            found.same.values[key].SetInParent()
            continue
        found.is_changed = True
        written = found.write.values[key]
        written.version = 0 if old is None else old.version + 1
        written.value, written.mod_policy = new.value, new.mod_policy


def _compare_policies(
    found: _Difference,
    original: Mapping[str, common_pb2.ConfigPolicy],
    updated: Mapping[str, common_pb2.ConfigPolicy],
) -> None:
    found.has_other_members |= set(original) != set(updated)
    for key in sorted(updated):
        new, old = updated[key], original.get(key, None)
        if old is not None and (old.policy, old.mod_policy) == (new.policy, new.mod_policy):
            found.same.policies[key].version = old.version
            found.same.policies[key].SetInParent()
            continue
        found.is_changed = True
        written = found.write.policies[key]
        written.version = 0 if old is None else old.version + 1
        written.policy.CopyFrom(new.policy)
        written.mod_policy = new.mod_policy


def _compare_groups(
    found: _Difference,
    original: Mapping[str, common_pb2.ConfigGroup],
    updated: Mapping[str, common_pb2.ConfigGroup],
) -> None:
    found.has_other_members |= set(original) != set(updated)
    for key in sorted(updated):
        if key not in original:
            below = _group(common_pb2.ConfigGroup(), updated[key]).write
            found.write.groups[key].CopyFrom(below)
            found.write.groups[key].version = 0
            found.write.groups[key].mod_policy = updated[key].mod_policy
            continue
        below_difference = _group(original[key], updated[key])
        if below_difference.is_changed:
            found.is_changed = True
            found.read.groups[key].CopyFrom(below_difference.read)
            found.write.groups[key].CopyFrom(below_difference.write)
        else:
            found.same.groups[key].version = original[key].version
            found.same.groups[key].SetInParent()

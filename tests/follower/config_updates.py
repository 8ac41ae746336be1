"""Whether a CONFIG transaction is what its update leads to, and whether its signers might."""

from dataclasses import dataclass, field

from fabric_protos.common import common_pb2, configtx_pb2

from tests.follower.channel_config import ChannelConfig
from tests.follower.policies import ROOT
from tests.follower.refusal import require

Key = tuple[str, str]
"""Kind (group, value, policy) and path."""


@dataclass
class Elements:
    """A configuration tree laid flat."""

    by_key: dict[Key, object] = field(default_factory=dict)

    def add_group(self, path: str, group) -> "Elements":
        """Put the group and everything below it in."""
        self.by_key["group", path] = group
        for name, child in group.groups.items():
            self.add_group(f"{path}/{name}", child)
        for kind, children in (("value", group.values), ("policy", group.policies)):
            for name, child in children.items():
                self.by_key[kind, f"{path}/{name}"] = child
        return self

    def tree(self, path: str):
        """The group again, made of what each path now holds."""
        group = configtx_pb2.ConfigGroup()
        group.CopyFrom(self.by_key["group", path])
        for name in group.groups:
            group.groups[name].CopyFrom(self.tree(f"{path}/{name}"))
        for kind, children in (("value", group.values), ("policy", group.policies)):
            for name in children:
                children[name].CopyFrom(self.by_key[kind, f"{path}/{name}"])
        return group


def next_config(current: ChannelConfig, transaction_data: bytes) -> ChannelConfig:
    """The configuration after a CONFIG transaction's ConfigEnvelope, or Refused."""
    proposed = configtx_pb2.ConfigEnvelope.FromString(transaction_data)
    sequence = current.config.sequence + 1
    require(proposed.HasField("config"), "config envelope has nil config")
    require(proposed.config.sequence == sequence, f"not sequence {sequence}")
    result = _authorized(current, _update_envelope(proposed.last_update))
    same = result == proposed.config.channel_group
    require(same, "LastUpdate did not produce the supplied config result")
    new = ChannelConfig(current.channel_id, proposed.config)
    current.check_successor(new)
    return new


def _update_envelope(envelope: common_pb2.Envelope) -> configtx_pb2.ConfigUpdateEnvelope:
    payload = common_pb2.Payload.FromString(envelope.payload)
    header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
    require(header.type == common_pb2.CONFIG_UPDATE, "LastUpdate is no CONFIG_UPDATE")
    return configtx_pb2.ConfigUpdateEnvelope.FromString(payload.data)


def _authorized(current: ChannelConfig, envelope: configtx_pb2.ConfigUpdateEnvelope):
    """The tree after the update, if its read set fits and its signatures suffice."""
    update = configtx_pb2.ConfigUpdate.FromString(envelope.config_update)
    require(update.channel_id == current.channel_id, "an update for another channel")
    now = Elements().add_group(ROOT, current.config.channel_group)
    read = Elements().add_group(ROOT, update.read_set)
    for key, element in read.by_key.items():
        require(key in now.by_key, f"{key} was read and does not exist")
        require(now.by_key[key].version == element.version, f"{key} is at another version")
    written = Elements().add_group(ROOT, update.write_set)
    changed = {
        key: element
        for key, element in written.by_key.items()
        if key not in read.by_key or read.by_key[key].version != element.version
    }
    require(changed, "the update would have no effect")
    signers = current.memberships.signers(
        [
            (
                common_pb2.SignatureHeader.FromString(one.signature_header).creator,
                one.signature_header + envelope.config_update,
                one.signature,
            )
            for one in envelope.signatures
        ]
    )
    for key, element in changed.items():
        _check_change(current, now, key, element, signers)
    merged = Elements({**now.by_key, **changed})
    require(set(written.by_key) <= set(merged.by_key), "the write set is not in the result")
    return merged.tree(ROOT)


def _check_change(current: ChannelConfig, now: Elements, key: Key, element, signers) -> None:
    require(element.mod_policy, f"{key}: mod_policy not set")
    existing = now.by_key.get(key)
    if existing is None:
        require(element.version == 0, f"{key} is new and not at version 0")
        return
    require(element.version == existing.version + 1, f"{key} skips a version")
    policy = _policy_path(key, existing.mod_policy)
    satisfied = current.policies.is_satisfied(policy, signers)
    require(satisfied, f"policy {policy} for {key} is not satisfied")


def _policy_path(key: Key, mod_policy: str) -> str:
    """A relative policy is looked up in the group itself, or in the group of a value or policy."""
    if mod_policy.startswith("/"):
        return mod_policy[1:]
    kind, path = key
    group = path if kind == "group" else path.rpartition("/")[0]
    return f"{group}/{mod_policy}"

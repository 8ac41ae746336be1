"""A configuration as Fabric's tree of versioned elements: what an update changes, and its result.

Every group, value and policy has a version and names the policy whose signers may change it. An
update carries a *read set* (what it builds on) and a *write set* (what it changes, one version
higher). Pure functions on wire messages; texts in errors are those of Fabric, whose tools show
them.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.errors import InvalidMessage, Reason
from ledger.wire import common_pb2

CONFIG_DEPTH_MAX = 8
"""Levels of groups; Fabric uses three."""
CONFIG_ELEMENTS_MAX = 10_000
KEY_CHARACTERS_MAX = 249
_KEY = re.compile(r"[a-zA-Z0-9.\-_]+")
ROOT = "Channel"

Message = common_pb2.ConfigGroup | common_pb2.ConfigValue | common_pb2.ConfigPolicy


class Kind(StrEnum):
    """What an element is, as Fabric writes it before its path."""

    GROUP = "[Group]  "
    VALUE = "[Value]  "
    POLICY = "[Policy] "


@dataclass(frozen=True, slots=True)
class Element:
    """One group, value or policy; `path` begins with the root group."""

    kind: Kind
    path: tuple[str, ...]
    message: Message

    @property
    def name(self) -> str:
        """Unique in the tree, such as `[Value]  /Channel/Orderer/BatchSize`."""
        return f"{self.kind}/{'/'.join(self.path)}"

    @property
    def mod_policy_path(self) -> str:
        """Full path of the policy whose signers may change the element.

        A relative name is looked up in the group itself, or in the group around a value or policy.
        """
        mod_policy = self.message.mod_policy
        if mod_policy.startswith("/"):
            return mod_policy
        around = self.path if self.kind is Kind.GROUP else self.path[:-1]
        return f"/{'/'.join(around)}/{mod_policy}"


Tree = Mapping[str, Element]
"""Every element of a configuration by its name."""

CheckPolicy = Callable[[str], None]
"""Raises InvalidMessage unless the update's signers satisfy the policy at this full path."""


def tree_of(group: common_pb2.ConfigGroup) -> dict[str, Element]:
    """All elements below and including the root; raises InvalidMessage MALFORMED or OVERSIZED."""
    tree: dict[str, Element] = {}
    for element in _elements((ROOT,), group):
        tree[element.name] = element
        if len(tree) > CONFIG_ELEMENTS_MAX:
            raise InvalidMessage(
                Reason.OVERSIZED, f"a configuration has at most {CONFIG_ELEMENTS_MAX} elements"
            )
    return tree


def _elements(path: tuple[str, ...], group: common_pb2.ConfigGroup) -> Iterator[Element]:
    if len(path) > CONFIG_DEPTH_MAX:
        raise InvalidMessage(
            Reason.OVERSIZED, f"a configuration has at most {CONFIG_DEPTH_MAX} levels of groups"
        )
    own = Element(Kind.GROUP, path, group)
    yield own
    for kind, members in ((Kind.VALUE, group.values), (Kind.POLICY, group.policies)):
        for key in sorted(members):
            yield Element(kind, _child(own, key), members[key])
    for key in sorted(group.groups):
        yield from _elements(_child(own, key), group.groups[key])


def _child(group: Element, key: str) -> tuple[str, ...]:
    if len(key) > KEY_CHARACTERS_MAX or _KEY.fullmatch(key) is None:
        raise InvalidMessage(
            Reason.MALFORMED, f"illegal characters in key: {group.name}/{key[:KEY_CHARACTERS_MAX]}"
        )
    return (*group.path, key)


# -- applying an update ---------------------------------------------------------------------------


def apply_update(
    current: common_pb2.Config,
    update: common_pb2.ConfigUpdate,
    *,
    channel_id: str,
    check_policy: CheckPolicy,
) -> common_pb2.Config:
    """The configuration after an update, one sequence number higher.

    Raises InvalidMessage: WRONG_CHANNEL, CONFIG_OUTDATED (built on other versions),
    CONFIG_UNCHANGED, UNKNOWN_POLICY, MALFORMED, OVERSIZED, and what `check_policy` raises.
    """
    if update.channel_id != channel_id:
        raise InvalidMessage(
            Reason.WRONG_CHANNEL,
            f"ConfigUpdate for channel '{update.channel_id}' but envelope for channel "
            f"'{channel_id}'",
        )
    tree = tree_of(current.channel_group)
    read_set, write_set = tree_of(update.read_set), tree_of(update.write_set)
    _check_read_set(tree, read_set)
    changes = {
        name: element
        for name, element in write_set.items()
        if name not in read_set or read_set[name].message.version != element.message.version
    }
    _check_changes(tree, changes, check_policy)
    result = common_pb2.Config(sequence=current.sequence + 1)
    merged = {**tree, **changes}
    present = _put_group(result.channel_group, (ROOT,), merged)
    for name in write_set:
        if name not in present:
            raise InvalidMessage(
                Reason.MALFORMED,
                f"writeset contained key {name} which did not appear in proposed config",
            )
    return result


def _check_read_set(tree: Tree, read_set: Tree) -> None:
    for name, element in read_set.items():
        existing = tree.get(name)
        if existing is None:
            raise _outdated(
                f"existing config does not contain element for {name} but was in the read set"
            )
        if existing.message.version != element.message.version:
            raise _outdated(
                f"proposed update requires that key {name} be at version "
                f"{element.message.version}, but it is currently at version "
                f"{existing.message.version}"
            )


def _check_changes(tree: Tree, changes: Tree, check_policy: CheckPolicy) -> None:
    if not changes:
        raise InvalidMessage(
            Reason.CONFIG_UNCHANGED, "delta set was empty -- update would have no effect"
        )
    asked: set[str] = set()
    for name, element in changes.items():
        if not element.message.mod_policy:
            raise InvalidMessage(
                Reason.UNKNOWN_POLICY, f"invalid mod_policy for element {name}: mod_policy not set"
            )
        existing = tree.get(name)
        version = element.message.version
        if existing is None:
            if version != 0:
                raise _outdated(
                    f"attempted to set key {name} to version {version}, but key does not exist"
                )
            continue  # the group around it changes too, and that is what needs permission
        if version != existing.message.version + 1:
            raise _outdated(
                f"attempt to set key {name} to version {version}, but key is at version "
                f"{existing.message.version}"
            )
        path = existing.mod_policy_path
        if f"{Kind.POLICY}{path}" not in tree:
            raise InvalidMessage(
                Reason.UNKNOWN_POLICY,
                f"unexpected missing policy {existing.message.mod_policy} for item {name}",
            )
        if path not in asked:
            asked.add(path)
            _require(check_policy, path, name)


def _require(check_policy: CheckPolicy, path: str, name: str) -> None:
    try:
        check_policy(path)
    except InvalidMessage as error:
        raise InvalidMessage(
            error.reason, f"policy for {name} not satisfied: {error.detail}"
        ) from error


def _put_group(target: common_pb2.ConfigGroup, path: tuple[str, ...], tree: Tree) -> set[str]:
    """Build a group from its element and those it names; returns the names put."""
    own = _present(tree, Kind.GROUP, path)
    group = own.message
    assert isinstance(group, common_pb2.ConfigGroup), "a group's element holds a group"
    target.version, target.mod_policy = group.version, group.mod_policy
    put = {own.name}
    for kind, source, copies in (
        (Kind.VALUE, group.values, target.values),
        (Kind.POLICY, group.policies, target.policies),
    ):
        for key in sorted(source):
            element = _present(tree, kind, (*path, key))
            copies[key].CopyFrom(element.message)  # type: ignore[arg-type]  # same kind
            put.add(element.name)
    for key in sorted(group.groups):
        target.groups[key].SetInParent()
        put |= _put_group(target.groups[key], (*path, key), tree)
    return put


def _present(tree: Tree, kind: Kind, path: tuple[str, ...]) -> Element:
    name = f"{kind}/{'/'.join(path)}"
    element = tree.get(name)
    if element is None:
        raise InvalidMessage(Reason.MALFORMED, f"missing element {name}")
    return element


def _outdated(detail: str) -> InvalidMessage:
    return InvalidMessage(Reason.CONFIG_OUTDATED, detail)

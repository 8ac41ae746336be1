"""From a simulation's interest to the sets of peers whose endorsements make it valid.

The policies of everything it touched count together: the chaincodes', the collections' and the
keys' own. One endorsement may serve several of them. Peers of organizations that may not read a
collection cannot simulate a transaction that reads it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from ledger.crypto.channel_policies import ChannelPolicies
from ledger.crypto.peer_sets import (
    Groups,
    Layout,
    Requirement,
    StepsExceeded,
    layouts_of_all,
    peer_needs,
    peers_by_member,
    satisfying_set,
)
from ledger.errors import GridledgerError
from ledger.model.interest import CallInterest, Interest
from ledger.validation.context import ChaincodeDefinition

UNSATISFIABLE = "no peer combination can satisfy the endorsement policy"


class NoLayout(GridledgerError):  # noqa: N818 - a fact about a transaction
    """No combination of peers can satisfy the policies; the text says why, in Fabric's words."""


class CollectionRules(Protocol):
    """What a plan asks of a private data collection."""

    @property
    def members(self) -> frozenset[str]:
        """MSP ids of the organizations whose peers have the values."""

    @property
    def endorsement_policy(self) -> bytes:
        """protos.ApplicationPolicy bytes; empty: the chaincode's counts."""


@dataclass(frozen=True, slots=True)
class PolicySources:
    """Where a plan finds definitions, collections and the channel's policies in force."""

    channel_id: str
    definition: Callable[[str], ChaincodeDefinition | None]
    collection: Callable[[str, str], CollectionRules | None]
    """(chaincode, collection name)"""
    policies: Callable[[], ChannelPolicies]


@dataclass(frozen=True, slots=True)
class EndorsementChoice:
    """Whose endorsements would do."""

    requirement: Requirement
    """Every policy the simulation touched."""
    organizations: tuple[str, ...]
    """MSP ids of those that may be asked and whose peers some policy names, ascending."""
    layouts: list[Layout]
    """Smallest sets of peers first; empty where they are too many to list."""


def endorsement_layouts(interest: Interest, sources: PolicySources) -> EndorsementChoice:
    """Sets of peers that satisfy all policies; raises NoLayout when there is none."""
    policies = sources.policies()
    wanted = dict.fromkeys(raw for call in interest for raw in _policies(call, sources))
    of_keys = dict.fromkeys(raw for call in interest for raw in call.key_policies)
    parts: list[Requirement] = [policies.requirement(raw) for raw in wanted]
    parts += [policies.key_requirement(raw) for raw in of_keys]
    requirement = Groups(len(parts), tuple(parts))
    try:
        needs = peer_needs(requirement)
    except StepsExceeded as error:
        raise NoLayout(UNSATISFIABLE) from error
    allowed = frozenset(needs).intersection(*_readers(interest, sources))
    layouts = layouts_of_all(requirement, [policies.layouts(raw) for raw in wanted])
    layouts = [one for one in layouts if allowed.issuperset(peers_by_member(one))]
    usable = {mspid: needs[mspid] for mspid in sorted(allowed)}
    if not layouts and satisfying_set(requirement, usable, {}) is None:
        raise NoLayout(UNSATISFIABLE)
    return EndorsementChoice(requirement, tuple(usable), layouts)


def unknown_chaincode(name: str, channel_id: str) -> NoLayout:
    """Nobody can endorse what the channel has no definition of."""
    return NoLayout(f"No metadata was found for chaincode {name} in channel {channel_id}")


def among_readers(interest: Interest) -> tuple[Interest, list[str]]:
    """The interest that keeps transient data with the members of every collection touched.

    Also the collections that are thereby protected: those that were written only.
    """
    protected = [name for c in interest if c.no_private_reads for name in c.collection_names]
    return tuple(replace(call, no_private_reads=False) for call in interest), protected


def _policies(call: CallInterest, sources: PolicySources) -> list[bytes]:
    """ApplicationPolicy bytes: the chaincode's, or those of the call's collections."""
    definition = sources.definition(call.name)
    if definition is None:
        raise unknown_chaincode(call.name, sources.channel_id)
    if not call.collection_names:
        return [] if call.disregard_namespace_policy else [definition.policy]
    found = []
    for name in call.collection_names:
        collection = sources.collection(call.name, name)
        own = b"" if collection is None else collection.endorsement_policy
        found.append(own or definition.policy)
    return found


def _readers(interest: Interest, sources: PolicySources) -> list[frozenset[str]]:
    """For each collection that was read, the organizations that may read it."""
    found = []
    for call in interest:
        for name in () if call.no_private_reads else call.collection_names:
            collection = sources.collection(call.name, name)
            if collection is None:
                raise NoLayout(f"collection {name} of chaincode {call.name} is not defined")
            found.append(collection.members)
    return found

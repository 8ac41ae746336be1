"""Which peers could satisfy policies together: sets listed where they are few, else searched.

Peers of one organization are alike here, so a set is a number of peers for each organization. In
a signature policy every peer serves one leaf; one signature may serve several policies. Fabric's
evaluation is greedy, so what is found is always put to it before it is offered.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from ledger.model.policy import Principal, Role, Rule, SignaturePolicy, SignedBy

LAYOUTS_MAX = 300
"""Sets of peers listed for one policy or several together; more are searched, not listed."""
PLANNING_STEPS_MAX = 100_000
"""Rules and peers looked at in listing sets, and in one search: some 0.1 s.

So that no policy can make planning slow.
"""

Layout = frozenset[tuple[str, int]]
"""Peers that together satisfy a policy, one signature each: (MSP id, which of its peers, from 0).

A union of layouts is a candidate for all of them: one signature may serve several policies.
"""


@dataclass(frozen=True, slots=True)
class Groups:
    """At least `needed` of several policies; one signature may count for each of them."""

    needed: int
    parts: "tuple[Requirement, ...]"


Requirement = SignaturePolicy | Groups
"""What the endorsers of a transaction have to satisfy."""


class StepsExceeded(Exception):  # noqa: N818 - a fact about a policy
    """More work, or more sets of peers, than a plan is worth."""


class Steps:
    """The work still allowed."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self, count: int = 1) -> None:
        """Raise StepsExceeded when there are not so many left."""
        self._left -= count
        if self._left < 0:
            raise StepsExceeded


def listed_layouts(requirement: Requirement) -> list[Layout]:
    """Smallest sets of peers that satisfy it, fewest peers first; empty when they are too many.

    Ways that need the signature of an admin or client are left out.
    """
    try:
        return _layouts(requirement, Steps(PLANNING_STEPS_MAX))
    except StepsExceeded:
        return []


def layouts_of_all(requirement: Groups, listed: Sequence[list[Layout]]) -> list[Layout]:
    """The same for policies that must all hold; the layouts of the first ones are `listed`."""
    if len(requirement.parts) == len(listed) == 1:
        return listed[0]
    steps = Steps(PLANNING_STEPS_MAX)
    try:
        others = [_layouts(part, steps) for part in requirement.parts[len(listed) :]]
        return _joined(requirement, [*listed, *others], steps)
    except StepsExceeded:
        return []


def satisfying_set(
    requirement: Requirement, available: Mapping[str, int], have: Mapping[str, int]
) -> dict[str, int] | None:
    """How many peers of each organization together satisfy it; None without such a set.

    `available` is the most that may be used of each organization, the preferred ones first, those
    that endorsed already (`have`) included. Few new peers are chosen, though not always the
    fewest. None also when `PLANNING_STEPS_MAX` are not enough to find out.
    """
    try:
        return _Search(requirement, available, have).find()
    except StepsExceeded:
        return None


def peer_needs(requirement: Requirement) -> Counter[str]:
    """The most peers of each organization (MSP id) that can be of use.

    Raises StepsExceeded for more leaves than `PLANNING_STEPS_MAX`.
    """
    return _needs(requirement, Steps(PLANNING_STEPS_MAX))


def layout_of(quantities: Mapping[str, int]) -> Layout:
    """The layout with so many peers of each member (by MSP id)."""
    return frozenset(
        (mspid, which) for mspid, quantity in quantities.items() for which in range(quantity)
    )


def peers_by_member(layout: Layout) -> dict[str, int]:
    """How many peers of each member a layout has, MSP ids ascending."""
    found: dict[str, int] = {}
    for mspid, which in sorted(layout):
        found[mspid] = which + 1
    return found


def minimal_layouts(layouts: Iterable[Layout]) -> list[Layout]:
    """Those without another one inside them, fewest peers first, then by name."""
    ordered = sorted(set(layouts), key=lambda layout: (len(layout), sorted(layout)))
    return [one for one in ordered if not any(other < one for other in ordered)]


# -- listing --------------------------------------------------------------------------------------


def _layouts(requirement: Requirement, steps: Steps) -> list[Layout]:
    if isinstance(requirement, SignaturePolicy):
        found = _rule_layouts(requirement, requirement.rule, steps)
        # Greedy evaluation may spend a signer where it was not needed: keep only what passes.
        return _checked(requirement, found, steps)
    return _joined(requirement, [_layouts(part, steps) for part in requirement.parts], steps)


def _joined(
    groups: Groups, alternatives: Sequence[Sequence[Layout]], steps: Steps
) -> list[Layout]:
    found = _combined(groups.needed, alternatives, disjoint=False, steps=steps)
    return _checked(groups, found, steps)


def _rule_layouts(policy: SignaturePolicy, rule: Rule, steps: Steps) -> list[Layout]:
    steps.take()
    if isinstance(rule, SignedBy):
        mspid = _peers_organization(policy, rule.principal_index)
        return [] if mspid is None else [layout_of({mspid: 1})]
    children = [_rule_layouts(policy, child, steps) for child in rule.rules]
    return _combined(rule.n, children, disjoint=True, steps=steps)


def _combined(
    needed: int, alternatives: Sequence[Sequence[Layout]], *, disjoint: bool, steps: Steps
) -> list[Layout]:
    """Layouts that satisfy `needed` of several rules, each with its own layouts.

    `disjoint`: no signature may count for two of the rules (leaves of one signature policy).
    """
    usable = [layouts for layouts in alternatives if layouts]
    if len(usable) < needed:
        return []
    # of_count[n]: what satisfies n of the rules looked at so far; equal ones are kept once.
    of_count: list[set[Layout]] = [{frozenset()}, *(set() for _ in range(needed))]
    for index, layouts in enumerate(usable):
        still_to_come = len(usable) - index - 1
        for count in range(min(needed, index + 1), max(needed - still_to_come, 1) - 1, -1):
            for before in of_count[count - 1]:
                for layout in layouts:
                    steps.take(1 + len(before) + len(layout))
                    joined = _side_by_side(before, layout) if disjoint else before | layout
                    of_count[count].add(joined)
            if len(of_count[count]) > LAYOUTS_MAX:
                raise StepsExceeded
    return list(of_count[max(needed, 0)])


def _side_by_side(*layouts: Layout) -> Layout:
    """Every peer of every layout, none of them twice."""
    return layout_of(Counter(mspid for layout in layouts for mspid, _ in layout))


def _checked(requirement: Requirement, layouts: Iterable[Layout], steps: Steps) -> list[Layout]:
    """The smallest of those that pass the evaluation."""
    passing = [one for one in layouts if _is_met(requirement, peers_by_member(one), steps)]
    return minimal_layouts(passing)


# -- evaluating -----------------------------------------------------------------------------------


def _leaves(rule: Rule) -> Iterator[int]:
    """Principal index of every leaf."""
    if isinstance(rule, SignedBy):
        yield rule.principal_index
    else:
        for child in rule.rules:
            yield from _leaves(child)


def _peers_organization(policy: SignaturePolicy, principal_index: int) -> str | None:
    """The MSP id whose peers meet a leaf; None when no peer does."""
    principal = policy.principals[principal_index]
    if isinstance(principal, Principal) and principal.role in (Role.MEMBER, Role.PEER):
        return principal.mspid
    return None


def _needs(requirement: Requirement, steps: Steps) -> Counter[str]:
    most: Counter[str] = Counter()
    if isinstance(requirement, Groups):
        for part in requirement.parts:
            found = _needs(part, steps)
            steps.take(len(found))
            for name, quantity in found.items():
                most[name] = max(most[name], quantity)
        return most
    for index in _leaves(requirement.rule):
        steps.take()
        mspid = _peers_organization(requirement, index)
        if mspid is not None:
            most[mspid] += 1
    return most


def _is_met(requirement: Requirement, peers: Mapping[str, int], steps: Steps) -> bool:
    """The verdict of `ledger.crypto.policy.is_satisfied` on so many peers."""
    if isinstance(requirement, SignaturePolicy):
        return _spend(requirement, requirement.rule, dict(peers), [], steps)
    met = sum(_is_met(part, peers, steps) for part in requirement.parts)
    return met >= requirement.needed


def _spend(
    policy: SignaturePolicy, rule: Rule, left: dict[str, int], spent: list[str], steps: Steps
) -> bool:
    """Take from `left` what the rule takes, and note it; nothing when it is not satisfied."""
    steps.take()
    if isinstance(rule, SignedBy):
        mspid = _peers_organization(policy, rule.principal_index)
        if mspid is None or not left.get(mspid):
            return False
        left[mspid] -= 1
        spent.append(mspid)
        return True
    before = len(spent)
    if sum(_spend(policy, child, left, spent, steps) for child in rule.rules) >= rule.n:
        return True
    for mspid in spent[before:]:
        left[mspid] += 1
    del spent[before:]
    return False


# -- searching ------------------------------------------------------------------------------------


class _Search:
    """One search: the cheapest way leaf by leaf, then everybody, then every set there is."""

    def __init__(
        self, requirement: Requirement, available: Mapping[str, int], have: Mapping[str, int]
    ) -> None:
        needs = peer_needs(requirement)
        self._requirement = requirement
        self._available = {m: min(n, needs[m]) for m, n in available.items() if min(n, needs[m])}
        self._rank = {mspid: rank for rank, mspid in enumerate(self._available)}
        self._have = have
        self._steps = Steps(PLANNING_STEPS_MAX)

    def find(self) -> dict[str, int] | None:
        if not self._could_be_met(self._requirement):
            return None
        greedy = self._with(self._requirement, {})
        for candidate in (greedy, self._available):
            if candidate is not None and self._passes(candidate):
                return self._without_needless(candidate)
        return self._any_set()

    def _passes(self, peers: Mapping[str, int]) -> bool:
        return _is_met(self._requirement, peers, self._steps)

    def _could_be_met(self, requirement: Requirement) -> bool:
        """Whether it held if one peer could serve any number of leaves."""
        if isinstance(requirement, SignaturePolicy):
            return self._rule_could_be_met(requirement, requirement.rule)
        met = sum(self._could_be_met(part) for part in requirement.parts)
        return met >= requirement.needed

    def _rule_could_be_met(self, policy: SignaturePolicy, rule: Rule) -> bool:
        self._steps.take()
        if isinstance(rule, SignedBy):
            return _peers_organization(policy, rule.principal_index) in self._available
        return sum(self._rule_could_be_met(policy, child) for child in rule.rules) >= rule.n

    def _with(self, requirement: Requirement, chosen: dict[str, int]) -> dict[str, int] | None:
        """`chosen` and what the requirement needs besides."""
        if isinstance(requirement, SignaturePolicy):
            added = self._leaves_for(requirement, requirement.rule, {}, chosen)
            if added is None:
                return None
            return chosen | {m: max(n, chosen.get(m, 0)) for m, n in added.items()}
        parts = requirement.parts
        if requirement.needed < len(parts):
            parts = self._cheapest_first(parts, chosen)
        met = 0
        for part in parts:
            if met >= requirement.needed:
                break
            after = self._with(part, chosen)
            if after is not None:
                met += 1
                chosen = after
        return chosen if met >= requirement.needed else None

    def _cheapest_first(
        self, parts: Sequence[Requirement], chosen: dict[str, int]
    ) -> tuple[Requirement, ...]:
        ways = [(self._with(part, chosen), part) for part in parts]
        possible = [(way, part) for way, part in ways if way is not None]
        possible.sort(key=lambda one: self._cost(one[0], {}, chosen))
        return tuple(part for _, part in possible)

    def _leaves_for(
        self, policy: SignaturePolicy, rule: Rule, used: dict[str, int], chosen: dict[str, int]
    ) -> dict[str, int] | None:
        """Peers for a rule besides those `used` by other leaves of its policy."""
        self._steps.take()
        if isinstance(rule, SignedBy):
            mspid = _peers_organization(policy, rule.principal_index)
            return {mspid: 1} if mspid is not None and self._fits({mspid: 1}, used) else None
        ways = [(self._leaves_for(policy, child, used, chosen), child) for child in rule.rules]
        possible = [(way, child) for way, child in ways if way is not None]
        possible.sort(key=lambda one: self._cost(one[0], used, chosen))
        self._steps.take(len(used))
        taken: Counter[str] = Counter()
        now = Counter(used)
        met = 0
        for way, child in possible:
            if met >= rule.n:
                break
            # Those before it may have taken the peers this way counted on.
            again = way if self._fits(way, now) else self._leaves_for(policy, child, now, chosen)
            if again is not None:
                met += 1
                taken.update(again)
                now.update(again)
        return dict(taken) if met >= rule.n else None

    def _fits(self, way: Mapping[str, int], used: Mapping[str, int]) -> bool:
        self._steps.take(len(way))
        limits = self._available
        return all(used.get(m, 0) + n <= limits.get(m, 0) for m, n in way.items())

    def _cost(
        self, way: Mapping[str, int], used: Mapping[str, int], chosen: Mapping[str, int]
    ) -> tuple[int, int, list[int]]:
        """New peers, all peers, and how far back in the order of preference they are."""
        self._steps.take(len(way))
        new = 0
        for mspid, quantity in way.items():
            before = used.get(mspid, 0)
            at_hand = max(self._have.get(mspid, 0), chosen.get(mspid, 0), before)
            new += max(before + quantity - at_hand, 0)
        return new, sum(way.values()), sorted(self._rank[mspid] for mspid in way)

    def _without_needless(self, peers: Mapping[str, int]) -> dict[str, int]:
        """Fewer where fewer do, the least preferred left out first, as far as steps allow."""
        found = {mspid: quantity for mspid, quantity in peers.items() if quantity}
        try:
            for mspid in sorted(found, key=self._needless_first):
                while found[mspid] and self._passes(found | {mspid: found[mspid] - 1}):
                    found[mspid] -= 1
        except StepsExceeded:
            pass  # a satisfying set all the same, with more peers than it needs
        return {mspid: quantity for mspid, quantity in found.items() if quantity}

    def _needless_first(self, mspid: str) -> tuple[bool, int]:
        return mspid in self._have, -self._rank[mspid]

    def _any_set(self) -> dict[str, int] | None:
        """Where organizations have fewer peers than leaves, less can be more: try every set."""
        backwards = list(reversed(self._available.items()))
        for quantities in product(*(range(most + 1) for _, most in backwards)):
            names = (mspid for mspid, _ in backwards)
            candidate = dict(zip(names, quantities, strict=True))
            self._steps.take(len(candidate))
            if self._passes(candidate):
                return self._without_needless(candidate)
        return None

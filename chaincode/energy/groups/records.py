"""What groups keep in the world state; energy in Wh, money in micro-tokens, time in ms UTC."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Group:
    """A virtual power plant: its manager orders for all members under the group's id.

    The id begins with `vpp:`, which no IDgrid does. `money_by` tells how members share money:
    `readings` (each Wh at the one price) or `shares` (the agreed weights).
    """

    group_id: str
    name: str
    manager_idgrid: str
    money_by: str


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A household in a group: its agreed weight `share`, its part of the purse `balance_utoken`.

    The balance is what it paid in and earned, less what it bought; it may fall below zero when
    it used more energy than it had paid in for. A member that `is_leaving` is ordered for no
    more; its record stays until its hours are split and its balance is zero.
    """

    group_id: str
    idgrid: str
    share: int
    balance_utoken: int
    joined_at_ms: int
    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class GroupInvitation:
    """The manager lets a household join with this share."""

    group_id: str
    idgrid: str
    share: int


@dataclass(frozen=True, slots=True)
class Unsplit:
    """The group has ordered in a listing; `shares` are its members' weights at that time."""

    shares: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MemberPart:
    """A member's part of the group's settled hour; the parts of all members sum to the line."""

    idgrid: str
    imported_wh: int
    exported_wh: int
    sold_wh: int
    bought_wh: int
    received_utoken: int
    paid_utoken: int
    network_charge_utoken: int
    pool_share_utoken: int
    bought_from_utility_wh: int
    owed_to_utility_utoken: int
    sold_to_utility_wh: int
    owed_by_utility_utoken: int

    @property
    def credit_utoken(self) -> int:
        """What the member's balance in the purse gains or loses."""
        spent = self.paid_utoken + self.network_charge_utoken
        return self.received_utoken - self.pool_share_utoken - spent


@dataclass(frozen=True, slots=True)
class GroupSplit:
    """A group's settled hour, split; `credits` is what members' balances got so far for it.

    `shares` are the weights of the members when the group ordered.
    """

    group_id: str
    listing_id: str
    parts: list[dict[str, Any]] = field(default_factory=list)
    credits: dict[str, int] = field(default_factory=dict)
    shares: dict[str, int] = field(default_factory=dict)

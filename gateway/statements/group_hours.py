"""A member's part of what its groups traded, hour by hour (docs/orders.md).

The money of these hours moves in the group's purse, not on the member's account.
"""

from dataclasses import dataclass, fields

from chaincode.energy.groups.records import GroupMember, GroupSplit, MemberPart
from gateway.books.ledger_records import LedgerRecords
from gateway.readmodel import movement_queries
from gateway.readmodel.queries import ReadModel

COLUMNS = tuple(field.name for field in fields(MemberPart) if field.name != "idgrid")


@dataclass(frozen=True, slots=True)
class GroupHour:
    """An hour a group has traded, as far as one member is concerned."""

    group_id: str
    listing_id: str
    part: MemberPart


def group_hours(readmodel: ReadModel, idgrid: str, month: str) -> list[GroupHour]:
    """The hours of a month (YYYY-MM, UTC) in all groups the household is or was in."""
    ledger = LedgerRecords(readmodel)
    groups = set(movement_queries.groups_with(readmodel, idgrid))
    members = ledger.all(GroupMember, "groupmember")
    groups |= {member.group_id for member in members if member.idgrid == idgrid}
    return [
        GroupHour(group_id, split.listing_id, part)
        for group_id in sorted(groups)
        for split in ledger.all(GroupSplit, "groupsplit", group_id)
        if split.listing_id.startswith(f"{month}-")
        for part in (MemberPart(**values) for values in split.parts)
        if part.idgrid == idgrid
    ]


def summed_parts(hours: list[GroupHour]) -> dict[str, int]:
    """Every column of these hours added up."""
    return {name: sum(getattr(hour.part, name) for hour in hours) for name in COLUMNS}

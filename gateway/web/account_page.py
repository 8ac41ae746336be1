"""What the Account page shows: money, what it was locked for, statements, activity, devices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chaincode.energy.market.standing_rules import StandingOrder
from chaincode.energy.registry.records import Meter, Participant, Res
from gateway.books.community import AccountView
from gateway.books.own_records import OwnRecords
from gateway.notices.records import Choices
from gateway.readmodel import movement_queries
from gateway.readmodel.records import TransactionRecord
from gateway.services import Services
from gateway.statements.account_month import AccountLine, newest_lines
from gateway.statements.settlements import Notice

ACTIVITY_SHOWN = 50
NOTICES_SHOWN = MOVEMENTS_SHOWN = 20
MONTHS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class StatementLinks:
    """A month with settled hours: its name in the files (UTC) and a day of it to show."""

    month: str
    shown: datetime


@dataclass(frozen=True, slots=True)
class GroupPurse:
    """A household's part of a group's purse."""

    group_id: str
    movements: Sequence[AccountLine]


@dataclass(frozen=True, slots=True)
class AccountPageView:
    """The whole page."""

    idgrid: str
    account: AccountView | None
    participant: Participant | None
    statements: Sequence[StatementLinks]
    notices: Sequence[Notice]
    movements: Sequence[AccountLine]
    groups: Sequence[GroupPurse]
    activity: Sequence[TransactionRecord]
    standing_orders: Sequence[StandingOrder]
    meters: Sequence[Meter]
    sources: Sequence[Res]
    choices: Choices
    """What the household wants to be told, and how."""


def account_view(services: Services, idgrid: str) -> AccountPageView:
    """The page of a household."""
    own = OwnRecords(services.readmodel, idgrid)
    settlements = services.settlements
    community = services.community
    return AccountPageView(
        idgrid=idgrid,
        account=community.account(idgrid),
        participant=community.participant(idgrid),
        statements=[
            StatementLinks(month, datetime.fromisoformat(f"{month}-15"))
            for month in settlements.months(idgrid)[:MONTHS_SHOWN]
        ],
        notices=settlements.notices(idgrid)[:NOTICES_SHOWN],
        movements=newest_lines(services.readmodel, idgrid, MOVEMENTS_SHOWN),
        groups=[
            GroupPurse(
                group_id,
                newest_lines(services.readmodel, idgrid, MOVEMENTS_SHOWN, group_id=group_id),
            )
            for group_id in movement_queries.groups_with(services.readmodel, idgrid)
        ],
        activity=own.activity(ACTIVITY_SHOWN),
        standing_orders=own.standing_orders(),
        meters=[meter for meter in community.meters() if meter.owner_idgrid == idgrid],
        sources=[source for source in community.sources() if source.owner_idgrid == idgrid],
        choices=services.notices.choices(idgrid),
    )

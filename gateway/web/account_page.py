"""What the Account page shows: money, what it was locked for, statements, activity, devices."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaincode.energy.market.standing_rules import StandingOrder
from chaincode.energy.registry.records import Meter, Participant, Res
from gateway.books.community import AccountView
from gateway.books.own_records import OwnRecords
from gateway.notices.records import Choices
from gateway.readmodel import movement_queries
from gateway.readmodel.records import Slice, TransactionRecord
from gateway.services import Services
from gateway.statements.account_month import AccountLine, account_lines
from gateway.statements.settlements import Notice
from gateway.web.account_lists import StatementLinks, statement_links

ACTIVITY_SHOWN = 50
NOTICES_SHOWN = MOVEMENTS_SHOWN = 20
MONTHS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class GroupPurse:
    """A household's part of a group's purse."""

    group_id: str
    movements: Slice[AccountLine]


@dataclass(frozen=True, slots=True)
class AccountPageView:
    """The whole page; of what grows without end the first rows, and where it goes on."""

    idgrid: str
    account: AccountView | None
    participant: Participant | None
    statements: Slice[StatementLinks]
    notices: Slice[Notice]
    movements: Slice[AccountLine]
    groups: Sequence[GroupPurse]
    activity: Slice[TransactionRecord]
    standing_orders: Sequence[StandingOrder]
    meters: Sequence[Meter]
    sources: Sequence[Res]
    choices: Choices
    """What the household wants to be told, and how."""


def account_view(services: Services, idgrid: str) -> AccountPageView:
    """The page of a household."""
    readmodel = services.readmodel
    own = OwnRecords(readmodel, idgrid)
    community = services.community
    return AccountPageView(
        idgrid=idgrid,
        account=community.account(idgrid),
        participant=community.participant(idgrid),
        statements=statement_links(services, idgrid, limit=MONTHS_SHOWN),
        notices=services.settlements.notices_page(idgrid, limit=NOTICES_SHOWN),
        movements=account_lines(readmodel, idgrid, limit=MOVEMENTS_SHOWN),
        groups=[
            GroupPurse(
                group_id,
                account_lines(readmodel, idgrid, group_id=group_id, limit=MOVEMENTS_SHOWN),
            )
            for group_id in movement_queries.groups_with(readmodel, idgrid)
        ],
        activity=own.activity(ACTIVITY_SHOWN),
        standing_orders=own.standing_orders(),
        meters=[meter for meter in community.meters() if meter.owner_idgrid == idgrid],
        sources=[source for source in community.sources() if source.owner_idgrid == idgrid],
        choices=services.notices.choices(idgrid),
    )

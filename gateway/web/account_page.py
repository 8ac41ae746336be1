"""What the Account page shows: money, what it was locked for, statements, activity, devices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chaincode.energy.market.standing_rules import StandingOrder
from chaincode.energy.registry.records import Meter, Participant, Res
from gateway.books.community import AccountView
from gateway.books.own_records import OwnRecords
from gateway.notices.records import Choices
from gateway.readmodel.records import TransactionRecord
from gateway.services import Services
from gateway.statements.settlements import Notice, Settlements
from gateway.web.languages import local_start

ACTIVITY_SHOWN = 50
NOTICES_SHOWN = 20
MONTHS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class StatementLinks:
    """A month with settled hours: its name in the files (UTC) and a day of it to show."""

    month: str
    shown: datetime


@dataclass(frozen=True, slots=True)
class AccountPageView:
    """The whole page."""

    idgrid: str
    account: AccountView | None
    participant: Participant | None
    statements: Sequence[StatementLinks]
    notices: Sequence[Notice]
    activity: Sequence[TransactionRecord]
    standing_orders: Sequence[StandingOrder]
    meters: Sequence[Meter]
    sources: Sequence[Res]
    choices: Choices
    """What the household wants to be told, and how."""


def account_view(services: Services, idgrid: str) -> AccountPageView:
    """The page of a household."""
    own = OwnRecords(services.readmodel, idgrid)
    months = dict.fromkeys(listing_id[:7] for listing_id in own.lines())
    community = services.community
    return AccountPageView(
        idgrid=idgrid,
        account=community.account(idgrid),
        participant=community.participant(idgrid),
        statements=[
            StatementLinks(month, local_start(f"{month}-15T12", services.utc_offset_minutes))
            for month in list(months)[:MONTHS_SHOWN]
        ],
        notices=Settlements(services.readmodel).notices(idgrid)[:NOTICES_SHOWN],
        activity=own.activity(ACTIVITY_SHOWN),
        standing_orders=own.standing_orders(),
        meters=[meter for meter in community.meters() if meter.owner_idgrid == idgrid],
        sources=[source for source in community.sources() if source.owner_idgrid == idgrid],
        choices=services.notices.choices(idgrid),
    )

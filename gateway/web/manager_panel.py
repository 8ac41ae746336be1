"""What the community manager sees on the first page."""

from collections.abc import Sequence
from dataclasses import dataclass

from chaincode.energy.registry.records import Meter, Participant, Res
from gateway.books.community import AccountView
from gateway.services import Services


@dataclass(frozen=True, slots=True)
class ManagerPanel:
    """Everyone who takes part, and whether the money adds up."""

    participants: Sequence[Participant]
    accounts: dict[str, AccountView]
    meters: Sequence[Meter]
    sources: Sequence[Res]
    refused_readings: dict[str, int]
    is_conserved: bool


def manager_panel(services: Services) -> ManagerPanel:
    """The panel; whoever asks has checked that the reader is the manager."""
    return ManagerPanel(
        participants=services.community.participants(),
        accounts={account.idgrid: account for account in services.community.accounts()},
        meters=services.community.meters(),
        sources=services.community.sources(),
        refused_readings=dict(services.readings.refused),
        is_conserved=services.community.money().is_conserved,
    )

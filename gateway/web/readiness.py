"""What is still missing before a household can trade, and whose turn it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chaincode.energy.registry.records import Meter
from gateway.services import Services


class StepState(StrEnum):
    """Whose turn it is."""

    DONE = "done"
    YOURS = "yours"
    THEIRS = "theirs"
    """The manager's or the grid operator's."""


class Step(StrEnum):
    """In the order in which they are shown; the contract asks for every one of them."""

    METER = "meter"
    TERMS = "terms"
    ACCESS = "access"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class Readiness:
    """State of each step; `unread_meters` are those the market may not read yet."""

    steps: Sequence[tuple[Step, StepState]]
    unread_meters: Sequence[str]

    @property
    def may_trade(self) -> bool:
        """Whether nothing is missing."""
        return all(state is StepState.DONE for _, state in self.steps)


def readiness(services: Services, idgrid: str) -> Readiness:
    """Of a household; one that is not registered waits for everything."""
    community, now_ms = services.community, services.clock_ms()
    participant = community.participant(idgrid)
    names = participant.meter_ids if participant else []
    meters = [meter for name in names if (meter := community.meter(name)) is not None]
    unread = [n for n in names if not community.market_may_read(idgrid, [n], now_ms)]
    has_consented = participant is not None and participant.consented_ms is not None
    is_admitted = participant is not None and participant.status == "approved"
    return Readiness(
        steps=(
            (Step.METER, _by_staff(is_done=_are_approved(meters))),
            (Step.TERMS, StepState.DONE if has_consented else StepState.YOURS),
            (Step.ACCESS, _access(names, unread)),
            (Step.CONNECTION, _by_staff(is_done=is_admitted)),
        ),
        unread_meters=unread,
    )


def _are_approved(meters: Sequence[Meter]) -> bool:
    return bool(meters) and all(meter.status == "approved" for meter in meters)


def _by_staff(*, is_done: bool) -> StepState:
    return StepState.DONE if is_done else StepState.THEIRS


def _access(meter_ids: Sequence[str], unread: Sequence[str]) -> StepState:
    """Nothing to let anybody read before there is a meter."""
    if not meter_ids:
        return StepState.THEIRS
    return StepState.YOURS if unread else StepState.DONE

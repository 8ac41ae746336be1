"""Whether a participant may trade now, and how its contract limits it. Pure.

Source: rows E007, E013 and E014. The registry record says all of it but the number of orders a
limited contract has used up, which has a key of its own (`keys.contract_use`): only orders of a
participant with such a contract write it.
"""

from chaincode.energy.errors import Refusal, refused
from chaincode.energy.records import decode
from chaincode.energy.registry.records import ContractUse, Participant, Status

HOUR_MS = 3_600_000
_NOT_TRADING = {
    Status.PENDING: Refusal.NOT_APPROVED,
    Status.SUSPENDED: Refusal.SUSPENDED,
    Status.EXITED: Refusal.EXITED,
}


def require_may_trade(participant: Participant, now_ms: int, *, use_raw: bytes) -> None:
    """Refuse who is not approved, suspended or gone, without consent, or beyond its contract.

    `use_raw`: value of `keys.contract_use`, empty if there is none.
    """
    require_approved(participant)
    name = f"participant {participant.idgrid}"
    if participant.consented_ms is None:
        raise refused(Refusal.CONSENT_REQUIRED, name)
    if not participant.meter_ids:
        raise refused(Refusal.METER_REQUIRED, name)
    begin, end = participant.contract_from_ms, participant.contract_until_ms
    if (begin is not None and now_ms < begin) or (end is not None and now_ms >= end):
        raise refused(Refusal.NO_CONTRACT, name)
    limit = participant.contract_orders_max
    if limit is not None and orders_used(participant, use_raw) >= limit:
        raise refused(Refusal.LIMIT, f"{name}, {limit} orders")


def require_approved(participant: Participant) -> None:
    """Refuse who is not approved yet, suspended or gone."""
    refusal = _NOT_TRADING.get(Status(participant.status))
    if refusal is not None:
        reason = f": {participant.status_reason}" if participant.status_reason else ""
        raise refused(refusal, f"participant {participant.idgrid}{reason}")


def orders_used(participant: Participant, use_raw: bytes) -> int:
    """Orders placed under the present contract; an earlier contract's do not count."""
    use = decode(ContractUse, use_raw) if use_raw else None
    return use.orders if use is not None and use.contract_id == participant.contract_id else 0


def use_after_order(participant: Participant, use_raw: bytes) -> ContractUse | None:
    """The record to write under `keys.contract_use` with an order; None if it needs none.

    A contract without a limit writes nothing, so orders in several listings do not conflict.
    """
    if participant.contract_orders_max is None:
        return None
    return ContractUse(
        idgrid=participant.idgrid,
        contract_id=participant.contract_id,
        orders=orders_used(participant, use_raw) + 1,
    )


def order_limit_wh(participant: Participant, *, max_order_wh: int, slot_ms: int) -> int:
    """Largest energy of its orders in one listing: the listing's, or what its connection carries.

    `slot_ms`: length of delivery. Rounded down.
    """
    capacity_w = participant.contract_capacity_w
    if capacity_w is None:
        return max_order_wh
    return min(max_order_wh, capacity_w * slot_ms // HOUR_MS)

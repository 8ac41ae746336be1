"""Life of a membership: consent, contract, suspension, exit.

Running listings are not touched by any of it: what was ordered before is cleared, delivered and
settled (rows E011, E013, E014). New orders are judged by `registry/trading.py`.
"""

from dataclasses import replace
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import PRICE_UTOKEN_PER_KWH_MAX, bad
from chaincode.energy.community import GRID_OPERATORS, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.hours import TIME_MS_MAX
from chaincode.energy.registry.records import Participant, Status
from chaincode.energy.registry.registration import CAPACITY_W_MAX
from chaincode.energy.world import World

ORDERS_MAX = 10**9
PRIORITY_CLASS_MAX = 9
_MANAGERS = frozenset({Role.COMMUNITY_MANAGER})
_SUPERVISORS = _MANAGERS | GRID_OPERATORS
_TERMS = frozenset(
    {
        "from_ms",
        "until_ms",
        "capacity_w",
        "orders_max",
        "incentive_utoken_per_kwh",
        "priority_class",
    }
)


async def consent(world: World, terms_hash: str) -> Participant:
    """The caller agrees to the terms with this SHA-256; the time of it goes onto the ledger.

    It covers what the contracts do for it: metered data to those it grants access to, and
    orders, clearing and settlement carried out automatically.
    """
    record = await world.caller_is_registered()
    if record.status == Status.EXITED:
        raise refused(Refusal.EXITED, record.idgrid)
    agreed = replace(
        record,
        consented_ms=world.now_ms,
        terms_hash=arguments.salted_hash(terms_hash, "terms_hash"),
    )
    await _put(world, agreed, "Consented", {"consented_ms": world.now_ms})
    return agreed


async def withdraw_consent(world: World) -> Participant:
    """The caller no longer agrees: it cannot place orders until it consents again."""
    record = await world.caller_is_registered()
    withdrawn = replace(record, consented_ms=None, terms_hash="")
    await _put(world, withdrawn, "ConsentWithdrawn", {})
    return withdrawn


async def set_personal_data_hash(
    world: World, *, idgrid: str, personal_data_hash: str
) -> Participant:
    """The manager follows a change of the private record with its new salted hash."""
    await world.require_role(_MANAGERS)
    record = await world.participant(idgrid)
    digest = arguments.salted_hash(personal_data_hash, "personal_data_hash")
    changed = replace(record, personal_data_hash=digest)
    await _put(world, changed, "PersonalDataChanged", {"personal_data_hash": digest})
    return changed


async def set_contract(world: World, *, idgrid: str, terms: dict[str, Any]) -> Participant:
    """Give a participant a new contract; what `terms` leaves out is not limited.

    Members of `terms`: `from_ms`, `until_ms` (ms UTC), `capacity_w`, `orders_max`,
    `incentive_utoken_per_kwh`, `priority_class` (0 first). Orders are counted anew.
    """
    await world.require_role(_MANAGERS)
    given = arguments.checked_object(terms, "terms", _TERMS)
    record = await world.participant(idgrid)
    begin, end = _limit(given, "from_ms", TIME_MS_MAX), _limit(given, "until_ms", TIME_MS_MAX)
    if begin is not None and end is not None and begin >= end:
        bad("until_ms must be later than from_ms")
    incentive = arguments.number_in(given, "incentive_utoken_per_kwh", 0)
    priority = arguments.number_in(given, "priority_class", 0)
    changed = replace(
        record,
        contract_id=world.tx_id,
        contract_from_ms=begin,
        contract_until_ms=end,
        contract_capacity_w=_limit(given, "capacity_w", CAPACITY_W_MAX),
        contract_orders_max=_limit(given, "orders_max", ORDERS_MAX),
        incentive_utoken_per_kwh=arguments.not_negative(
            incentive, "incentive_utoken_per_kwh", at_most=PRICE_UTOKEN_PER_KWH_MAX
        ),
        priority_class=arguments.not_negative(
            priority, "priority_class", at_most=PRIORITY_CLASS_MAX
        ),
    )
    await _put(world, changed, "ContractSet", {"contract_id": world.tx_id})
    return changed


async def suspend(world: World, *, idgrid: str, reason: str) -> Participant:
    """The manager or the grid operator stops a participant's new orders."""
    await world.require_role(_SUPERVISORS)
    record = await world.participant(idgrid)
    if record.status != Status.APPROVED:
        raise refused(Refusal.WRONG_STATUS, f"{idgrid} is {record.status}")
    why = arguments.short_text(reason, "reason")
    suspended = replace(record, status=Status.SUSPENDED, status_reason=why)
    await _put(world, suspended, "Suspended", {"reason": why})
    return suspended


async def reinstate(world: World, idgrid: str) -> Participant:
    """The manager or the grid operator ends a suspension."""
    await world.require_role(_SUPERVISORS)
    record = await world.participant(idgrid)
    if record.status != Status.SUSPENDED:
        raise refused(Refusal.WRONG_STATUS, f"{idgrid} is {record.status}")
    reinstated = replace(record, status=Status.APPROVED, status_reason="")
    await _put(world, reinstated, "Reinstated", {})
    return reinstated


async def leave(world: World, *, idgrid: str, reason: str) -> Participant:
    """End a membership: by the participant itself, or expelled by the manager. Final.

    The IDgrid is never given again; its money, devices and running settlements stay its own.
    """
    if world.caller.role is Role.COMMUNITY_MANAGER:
        await world.require_role(_MANAGERS)
    elif world.own_idgrid() != idgrid:
        raise refused(Refusal.NOT_YOURS, idgrid)
    else:
        await world.caller_is_registered()
    record = await world.participant(idgrid)
    if record.status == Status.EXITED:
        raise refused(Refusal.WRONG_STATUS, f"{idgrid} is {record.status}")
    why = arguments.short_text(reason, "reason")
    left = replace(record, status=Status.EXITED, status_reason=why)
    await _put(world, left, "Exited", {"reason": why})
    return left


def _limit(given: dict[str, Any], name: str, at_most: int) -> int | None:
    if given.get(name) is None:
        return None
    return arguments.not_negative(arguments.number_in(given, name), name, at_most=at_most)


async def _put(world: World, record: Participant, event: str, about: dict[str, object]) -> None:
    await world.put(keys.participant(record.idgrid), record)
    world.announce(event, {"idgrid": record.idgrid} | about)

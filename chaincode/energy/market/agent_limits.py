"""What an agent's key may order: the limits its household wrote on the ledger, and their use.

An agent acts while its household sleeps, with a key of its own. Without limits that key only
carries out standing orders; with limits it may also order itself, and whatever it does, each order
stays within them. They are of the key: the household's other orders do not count.
"""

from dataclasses import dataclass, field

from chaincode.energy import keys
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.market.records import MarketOrder
from chaincode.energy.registry.records import AGENT, AgentLimits, Participant, Signer
from chaincode.energy.world import World

DAY_CHARACTERS = len("2026-01-31")
BID = "bid"


@dataclass(frozen=True, slots=True)
class AgentUse:
    """Energy that an agent's key ordered for the deliveries of a day (UTC): listing -> Wh."""

    listings: dict[str, int] = field(default_factory=dict)


def require_may_order(world: World, trader: Participant) -> None:
    """An agent without limits orders nothing itself: KEY_NOT_ACTIVE."""
    agent = _agent(world, trader)
    if agent is not None and agent.limits is None:
        raise refused(Refusal.KEY_NOT_ACTIVE, f"{trader.idgrid}, an agent without limits")


async def use_up(world: World, trader: Participant, order: MarketOrder) -> None:
    """Count an order against the limits of the agent's key that signs; AGENT_LIMIT beyond them.

    Of any other key nothing is counted.
    """
    agent = _agent(world, trader)
    if agent is None or agent.limits is None:
        return
    day = order.listing_id[:DAY_CHARACTERS]
    key = keys.agent_use(trader.idgrid, world.caller.key_fingerprint, day)
    use = await world.find(AgentUse, key) or AgentUse()
    used = use.listings | {
        order.listing_id: use.listings.get(order.listing_id, 0) + order.energy_wh
    }
    problem = problem_with(agent.limits, order, used)
    if problem is not None:
        raise refused(Refusal.AGENT_LIMIT, problem)
    await world.put(key, AgentUse(used))


def problem_with(limits: AgentLimits, order: MarketOrder, used: dict[str, int]) -> str | None:
    """Why the limits do not allow an order; `used` is the day's energy with it. Pure."""
    price, lowest = order.price_utoken_per_kwh, limits.offer_price_min_utoken_per_kwh
    if order.side == BID and price > limits.bid_price_max_utoken_per_kwh:
        return f"it may bid {limits.bid_price_max_utoken_per_kwh} at most, not {price}"
    if order.side != BID and (lowest is None or price < lowest):
        return "it may not offer" if lowest is None else f"it may offer from {lowest} on"
    if used[order.listing_id] > limits.hour_wh_max:
        return f"{used[order.listing_id]} Wh in this hour, {limits.hour_wh_max} at most"
    if sum(used.values()) > limits.day_wh_max:
        return f"{sum(used.values())} Wh on this day, {limits.day_wh_max} at most"
    return None


def _agent(world: World, trader: Participant) -> Signer | None:
    """The agent's key that signs this transaction; None if a device or somebody else does."""
    if world.caller.idgrid != trader.idgrid or not trader.signers:
        return None
    signer = trader.signer(world.caller.key_fingerprint)
    return signer if signer is not None and signer.kind == AGENT else None

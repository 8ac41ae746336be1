"""What a decided oracle request changes in the state, by its kind."""

from chaincode.energy import keys
from chaincode.energy.oracle import prices
from chaincode.energy.oracle.records import Charge, OracleRequest, PricePoint
from chaincode.energy.oracle.subjects import BATTERY_SOC, PRICE
from chaincode.energy.world import World


async def take_effect(world: World, decided: OracleRequest, value: int) -> None:
    """Keep the agreed value where orders and listings read it."""
    if decided.kind == BATTERY_SOC:
        await _keep_charge(world, decided, value)
    elif decided.kind == PRICE:
        await _keep_price(world, decided, value)


async def _keep_charge(world: World, decided: OracleRequest, value: int) -> None:
    """The newest observation counts; an older one, decided late, does not replace it."""
    key = keys.charge(decided.subject)
    known = await world.find(Charge, key)
    if known is None or known.observed_at_ms <= decided.at_ms:
        charge = Charge(
            battery_id=decided.subject,
            stored_wh=value,
            observed_at_ms=decided.at_ms,
            request_id=decided.request_id,
        )
        await world.put(key, charge)


async def _keep_price(world: World, decided: OracleRequest, value: int) -> None:
    """A price observed outside is in force from its decision on, valid from its observation.

    One that is no longer valid, or older than the newest of the series, changes nothing: else
    asking for last week's price would bring it back.
    """
    series = await prices.get_series(world, decided.subject)
    is_outdated = decided.at_ms + prices.OBSERVED_PRICE_VALID_MS <= world.now_ms
    if is_outdated or (series.starts and series.starts[-1] >= decided.at_ms):
        return
    await prices.append(
        world,
        series,
        PricePoint(
            series=decided.subject,
            effective_from_ms=world.now_ms,
            price_utoken_per_kwh=value,
            valid_until_ms=decided.at_ms + prices.OBSERVED_PRICE_VALID_MS,
            published_by="oracle",
            request_id=decided.request_id,
        ),
    )

"""Passing on what is left of a token, and where a certificate's energy came from."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import ENERGY_WH_MAX
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.origin.issuing import TRANSFER, put_certificate
from chaincode.energy.origin.records import Certificate, EnergyToken, Evidence
from chaincode.energy.registry.records import Res
from chaincode.energy.sight import Sight, sight_of
from chaincode.energy.world import World


@dataclass(frozen=True, slots=True)
class Trace:
    """A certificate's way back: its token, the sources, the hour, the signed readings.

    `sources` and `readings` are the registry's and the evidence's records; `exported_wh` of a
    reading, all that the producer fed in, is for the producer and staff.
    """

    certificate: Certificate
    producer_idgrid: str
    listing_id: str
    from_ms: int
    to_ms: int
    sources: list[dict[str, Any]]
    readings: list[dict[str, Any]]


async def transfer(world: World, *, token_id: str, to_idgrid: str, energy_wh: int) -> Certificate:
    """The token's owner gives some of what is left to a participant."""
    await world.caller_is_registered()
    token = await get_token(world, token_id)
    holder = await world.participant(arguments.idgrid(to_idgrid))
    arguments.positive(energy_wh, "energy_wh", at_most=ENERGY_WH_MAX)
    if energy_wh > token.left_wh:
        raise refused(Refusal.TOKEN_SPENT, f"{token.left_wh} Wh of {token_id} are left")
    certificate = Certificate(
        certificate_id=f"{token_id}.{world.tx_id}",
        token_id=token_id,
        holder_idgrid=holder.idgrid,
        energy_wh=energy_wh,
        source=TRANSFER,
    )
    await world.put(keys.energy_token(token_id), replace(token, left_wh=token.left_wh - energy_wh))
    await put_certificate(world, certificate)
    world.announce("OriginTransferred", asdict(certificate))
    return certificate


async def get_token(world: World, token_id: str) -> EnergyToken:
    """A token, which tells what its producer fed in; for the producer and staff.

    Ids can be guessed from hour and IDgrid, so to others every token is one that does not exist.
    """
    token = await _token(world, token_id)
    if not (await sight_of(world)).names(token.owner_idgrid):
        raise refused(Refusal.UNKNOWN_TOKEN, token_id)
    return token


async def held(world: World, idgrid: str) -> list[Certificate]:
    """The certificates of a participant, by hour; for itself and for staff."""
    await world.require_own_or_staff(idgrid)
    return [one for _, one in await world.scan(Certificate, keys.under("held", idgrid))]


async def trace(world: World, certificate_id: str) -> Trace:
    """Where a certificate's energy came from; for its holder, the producer and staff.

    To others it is a certificate that does not exist, for ids can be guessed.
    """
    key = keys.certificate(_name(certificate_id, "certificate_id"))
    certificate = await world.get(Certificate, key, Refusal.UNKNOWN_CERTIFICATE, certificate_id)
    token = await _token(world, certificate.token_id)
    sight = await sight_of(world)
    if not sight.names(certificate.holder_idgrid, token.owner_idgrid):
        raise refused(Refusal.UNKNOWN_CERTIFICATE, certificate_id)
    sources = [
        asdict(await world.get(Res, keys.res(name), Refusal.UNKNOWN_RES, name))
        for name in token.res_ids
    ]
    return Trace(
        certificate=certificate,
        producer_idgrid=token.owner_idgrid,
        listing_id=token.listing_id,
        from_ms=token.from_ms,
        to_ms=token.to_ms,
        sources=sources,
        readings=[_reading(Evidence(*row), token, sight) for row in token.evidence],
    )


async def _token(world: World, token_id: str) -> EnergyToken:
    key = keys.energy_token(_name(token_id, "token_id"))
    return await world.get(EnergyToken, key, Refusal.UNKNOWN_TOKEN, token_id)


def _reading(evidence: Evidence, token: EnergyToken, sight: Sight) -> dict[str, Any]:
    """What proves the origin; who bought a part of the hour is not told the whole."""
    shown = asdict(evidence)
    if not sight.names(token.owner_idgrid):
        del shown["exported_wh"]
    return shown


def _name(value: str, what: str) -> str:
    """Ids of tokens and certificates are longer than others: hour, IDgrid, transaction."""
    for part in value.split("."):
        arguments.identifier(part, what)
    return value

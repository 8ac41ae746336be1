"""The calls by which a household joins a community, as data: who signs what, after what.

Whoever brings one up (the demo, a benchmark, a test) submits these; the contracts refuse any other
order. Documents go on the ledger as SHA-256 in hex.
"""

from dataclasses import dataclass
from enum import Enum

from chaincode.energy.access.records import MARKET
from chaincode.energy.community import Role


class By(Enum):
    """Who signs a call."""

    MANAGER = "community manager"
    OPERATOR = "grid operator"
    HOUSEHOLD = "the household itself"


@dataclass(frozen=True, slots=True)
class Call:
    """One transaction: a contract's function and its arguments."""

    by: By
    function: str
    args: tuple[str, ...]


Step = tuple[Call, ...]
"""Calls that may go side by side."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What is registered of a household: its connection, meter, source, and first money."""

    idgrid: str
    personal_data_sha256: str
    terms_sha256: str
    """Of the terms it consents to."""
    meter_id: str
    meter_key: str
    """Its public key: PEM, or the point in hex."""
    res_id: str
    nominal_w: int
    """What its solar panels give at most."""
    deposit_utoken: int = 0
    role: Role = Role.PROSUMER


def joining(newcomer: Newcomer) -> tuple[Step, ...]:
    """All calls, to the last approval; each step needs the ones before to be committed.

    The household agrees to the terms and opens its meter to the market on the way.
    """
    one, res, meter = newcomer, newcomer.res_id, newcomer.meter_id
    registered = Call(
        By.MANAGER,
        "registry:register_participant",
        (one.idgrid, one.role, one.personal_data_sha256),
    )
    metered = Call(By.MANAGER, "registry:register_meter", (meter, one.idgrid, one.meter_key))
    owned = [
        Call(By.HOUSEHOLD, "access:grant", (MARKET, meter)),
        Call(
            By.HOUSEHOLD,
            "registry:register_res",
            (res, one.idgrid, "solar", str(one.nominal_w)),
        ),
    ]
    if one.deposit_utoken:
        deposit = (one.idgrid, str(one.deposit_utoken), "welcome")
        owned.append(Call(By.MANAGER, "tokens:deposit", deposit))
    return (
        (registered,),
        (metered,),
        (Call(By.HOUSEHOLD, "membership:consent", (one.terms_sha256,)),),
        tuple(owned),
        (Call(By.OPERATOR, "registry:approve_meter", (meter,)),),
        (
            Call(By.OPERATOR, "registry:approve_participant", (one.idgrid,)),
            Call(By.OPERATOR, "registry:approve_res", (res,)),
        ),
    )

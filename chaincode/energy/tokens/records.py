"""What the token contract keeps in the world state; money in micro-tokens, energy in Wh."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """Free balance and the energy traded so far, as far as payouts are folded in."""

    idgrid: str
    balance_utoken: int
    sold_wh: int
    bought_wh: int


@dataclass(frozen=True, slots=True)
class Deposit:
    """Micro-tokens brought into being; all deposits less all redemptions are the supply."""

    idgrid: str
    amount_utoken: int
    issuer_mspid: str
    reference: str


@dataclass(frozen=True, slots=True)
class Redemption:
    """Micro-tokens given back for money outside the ledger; they no longer exist."""

    idgrid: str
    amount_utoken: int
    reference: str


@dataclass(frozen=True, slots=True)
class Payout:
    """What a deposit, a clearing or a settlement adds to an account."""

    idgrid: str
    amount_utoken: int
    sold_wh: int
    bought_wh: int


@dataclass(frozen=True, slots=True)
class Escrow:
    """Money one bid has locked."""

    idgrid: str
    listing_id: str
    order_id: str
    locked_utoken: int

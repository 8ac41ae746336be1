"""Token accounts: deposits, payouts on their way, escrow. Whole micro-tokens only.

An account key is written only by its owner's own orders. Everything others add (a deposit, a
released escrow, a settlement) is a payout with a key of its own; it counts towards the balance
at once and is folded into the account when the owner needs it. At every height

    sum(deposits) - sum(redemptions) = sum(accounts) + sum(payouts) + sum(escrows)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import AMOUNT_UTOKEN_MAX
from chaincode.energy.community import Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.records import decode
from chaincode.energy.tokens.records import Account, Deposit, Escrow, Payout, Redemption
from chaincode.energy.world import World

FOLDED_PAYOUTS_MAX = 500
_ISSUERS = frozenset({Role.COMMUNITY_MANAGER})


@dataclass(frozen=True, slots=True)
class AccountView:
    """What a participant has. `free_utoken` counts payouts that are not folded in yet."""

    idgrid: str
    free_utoken: int
    locked_utoken: int
    pending_payouts: int
    sold_wh: int
    bought_wh: int


async def deposit(world: World, *, idgrid: str, amount_utoken: int, reference: str) -> Deposit:
    """Issue micro-tokens to a participant; the key of this deposit documents the supply."""
    await world.require_role(_ISSUERS)
    await world.participant(idgrid)
    record = Deposit(
        idgrid=idgrid,
        amount_utoken=arguments.positive(
            amount_utoken, "amount_utoken", at_most=AMOUNT_UTOKEN_MAX
        ),
        issuer_mspid=world.caller.mspid,
        reference=arguments.short_text(reference, "reference"),
    )
    await world.put(keys.deposit(world.tx_id), record)
    await pay_out(world, idgrid, source="deposit", reference=world.tx_id, amount=amount_utoken)
    world.announce("Deposited", {"idgrid": idgrid, "amount_utoken": amount_utoken})
    return record


async def fold(world: World) -> Account:
    """Fold the caller's payouts into its account, at most `FOLDED_PAYOUTS_MAX` of them."""
    idgrid = (await world.caller_is_registered()).idgrid
    before = await world.find(Account, keys.account(idgrid)) or _empty(idgrid)
    account = await folded(world, before)
    await world.put(keys.account(idgrid), account)
    return account


async def redeem(world: World, *, amount_utoken: int, reference: str) -> Redemption:
    """Participant: give own free micro-tokens back; the manager pays outside against the record.

    They are gone: the supply is deposits less redemptions. `reference` must name no person.
    """
    idgrid = (await world.caller_is_registered()).idgrid
    record = Redemption(
        idgrid=idgrid,
        amount_utoken=arguments.positive(
            amount_utoken, "amount_utoken", at_most=AMOUNT_UTOKEN_MAX
        ),
        reference=arguments.short_text(reference, "reference"),
    )
    account = account_from(idgrid, await world.stub.get_state(keys.account(idgrid)))
    await charge(world, account, amount=record.amount_utoken)
    await world.put(keys.redemption(world.tx_id), record)
    world.announce("Redeemed", {"idgrid": idgrid, "amount_utoken": amount_utoken})
    return record


async def account_view(world: World, idgrid: str) -> AccountView:
    """Balance of a participant; for itself and for staff."""
    await world.require_own_or_staff(idgrid)
    account = await world.find(Account, keys.account(idgrid))
    payouts = await world.scan(Payout, keys.under("payout", idgrid))
    escrows = await world.scan(Escrow, keys.under("escrow", idgrid))
    return view_of(
        idgrid, account, [payout for _, payout in payouts], [escrow for _, escrow in escrows]
    )


def view_of(
    idgrid: str, account: Account | None, payouts: Sequence[Payout], escrows: Sequence[Escrow]
) -> AccountView:
    """A participant's money: the account with what is on its way to it, and what is locked."""
    account = account or _empty(idgrid)
    return AccountView(
        idgrid=idgrid,
        free_utoken=account.balance_utoken + sum(payout.amount_utoken for payout in payouts),
        locked_utoken=sum(escrow.locked_utoken for escrow in escrows),
        pending_payouts=len(payouts),
        sold_wh=account.sold_wh + sum(payout.sold_wh for payout in payouts),
        bought_wh=account.bought_wh + sum(payout.bought_wh for payout in payouts),
    )


async def pay_out(
    world: World,
    idgrid: str,
    *,
    source: str,
    reference: str,
    amount: int,
    sold_wh: int = 0,
    bought_wh: int = 0,
) -> None:
    """Put money on its way to a participant, under a key nobody else writes."""
    record = Payout(idgrid=idgrid, amount_utoken=amount, sold_wh=sold_wh, bought_wh=bought_wh)
    await world.put(keys.payout(idgrid, source, reference), record)


async def take_back(world: World, idgrid: str, *, amount: int) -> None:
    """Take money from an account, below zero if need be; only a correction may do that.

    The household then cannot bid until deposits or payouts cover it. Writes the account key, so
    an order of the same household in the same block is invalid and has to be sent again.
    """
    account = await world.find(Account, keys.account(idgrid)) or _empty(idgrid)
    left = replace(account, balance_utoken=account.balance_utoken - amount)
    await world.put(keys.account(idgrid), left)


async def lock(world: World, *, listing_id: str, account: Account, amount: int) -> None:
    """Move money from an account into the escrow of this transaction's bid."""
    await charge(world, account, amount=amount)
    await put_escrow(
        world,
        Escrow(
            idgrid=account.idgrid,
            listing_id=listing_id,
            order_id=world.tx_id,
            locked_utoken=amount,
        ),
    )


async def charge(world: World, account: Account, *, amount: int) -> None:
    """Take money from an account that must cover it; the caller puts it elsewhere.

    Payouts are read, and folded in, only if the account alone does not cover the amount.
    """
    if account.balance_utoken < amount:
        account = await folded(world, account)
    if account.balance_utoken < amount:
        raise refused(
            Refusal.INSUFFICIENT_FUNDS, f"needs {amount}, free are {account.balance_utoken}"
        )
    left = replace(account, balance_utoken=account.balance_utoken - amount)
    await world.put(keys.account(account.idgrid), left)


async def put_escrow(world: World, escrow: Escrow) -> None:
    """Write an escrow; an empty one is removed."""
    key = keys.escrow(escrow.idgrid, escrow.listing_id, escrow.order_id)
    if escrow.locked_utoken:
        await world.put(key, escrow)
    else:
        await world.delete(key)


def account_from(idgrid: str, raw: bytes) -> Account:
    """The account in `raw`; an empty one if the participant has not used it yet."""
    return decode(Account, raw) if raw else _empty(idgrid)


async def folded(world: World, account: Account) -> Account:
    """The account with its payouts, which are removed; at most `FOLDED_PAYOUTS_MAX` of them."""
    bounds = keys.under("payout", account.idgrid)
    payouts = await world.scan(Payout, bounds, limit=FOLDED_PAYOUTS_MAX)
    for key, payout in payouts:
        await world.delete(key)
        account = replace(
            account,
            balance_utoken=account.balance_utoken + payout.amount_utoken,
            sold_wh=account.sold_wh + payout.sold_wh,
            bought_wh=account.bought_wh + payout.bought_wh,
        )
    return account


def _empty(idgrid: str) -> Account:
    return Account(idgrid=idgrid, balance_utoken=0, sold_wh=0, bought_wh=0)

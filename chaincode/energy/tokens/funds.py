"""The community's own accounts: the pool that listings fill, the network operator's charges.

They are no participants and cannot bid. The manager pays rewards out of the pool, the DSO or
operator what the network account is for.
"""

from collections import Counter
from dataclasses import dataclass, replace

from chaincode.energy import arguments, keys
from chaincode.energy.arguments import AMOUNT_UTOKEN_MAX
from chaincode.energy.community import GRID_OPERATORS, MARKET_OPERATORS, STAFF, Role
from chaincode.energy.errors import Refusal, refused
from chaincode.energy.tokens import accounts
from chaincode.energy.tokens.records import Account, Payout
from chaincode.energy.world import World

POOL = "pool"
NETWORK = "network"
TRANSIT = "transit"
"""What pages of settlements have released and others still have to pay out."""
CROWDED_PAYOUTS = 100
"""From so many payouts on an account is worth gathering; it has two or three new ones an hour."""
LOOKED_AT_KEYS_MAX = 9_000
_PAYERS = {POOL: frozenset({Role.COMMUNITY_MANAGER}), NETWORK: GRID_OPERATORS}


@dataclass(frozen=True, slots=True)
class Crowded:
    """Accounts with many payouts; `following`: key after which to look on, empty at the end."""

    accounts: list[str]
    following: str


async def pay(
    world: World, *, fund: str, idgrid: str, amount_utoken: int, reference: str
) -> Account:
    """Pay a participant out of a fund; the fund's account as it is left."""
    arguments.one_of(fund, "fund", tuple(_PAYERS))
    await world.require_role(_PAYERS[fund])
    await world.participant(arguments.idgrid(idgrid))
    amount = arguments.positive(amount_utoken, "amount_utoken", at_most=AMOUNT_UTOKEN_MAX)
    account = accounts.account_from(fund, await world.stub.get_state(keys.account(fund)))
    if account.balance_utoken < amount:
        account = await accounts.folded(world, account)
    if account.balance_utoken < amount:
        raise refused(Refusal.POOL_TOO_SMALL, f"{fund} has {account.balance_utoken}")
    left = replace(account, balance_utoken=account.balance_utoken - amount)
    await world.put(keys.account(fund), left)
    await accounts.pay_out(world, idgrid, source=fund, reference=world.tx_id, amount=amount)
    world.announce(
        "FundPaid",
        {
            "fund": fund,
            "idgrid": idgrid,
            "amount_utoken": amount,
            "reference": arguments.short_text(reference, "reference"),
        },
    )
    return left


async def crowded(world: World, *, after: str = "") -> Crowded:
    """For staff: whose payouts `fold_account` should gather, among some thousand behind a key."""
    await world.require_role(STAFF)
    first, end = keys.under("payout")
    if after and not first <= after < end:
        arguments.bad("after is no key of a payout")
    found = await world.scan(
        Payout, (keys.following(after) if after else first, end), limit=LOOKED_AT_KEYS_MAX
    )
    counts = Counter(payout.idgrid for _, payout in found)
    names = [name for name, count in counts.items() if count >= CROWDED_PAYOUTS]
    return Crowded(
        accounts=[name for name in names if name != TRANSIT],
        following=found[-1][0] if len(found) == LOOKED_AT_KEYS_MAX else "",
    )


async def fold_account(world: World, name: str) -> Account:
    """Market operator: gather the payouts of any account, so that none grows for ever.

    Writes the account key: an order of its owner in the same block has to be sent again. What is
    in transit belongs to settlements that are being paid and stays where it is.
    """
    await world.require_role(MARKET_OPERATORS)
    if arguments.identifier(name, "account") == TRANSIT:
        arguments.bad("what is in transit cannot be gathered")
    raw = await world.stub.get_state(keys.account(name))
    account = await accounts.folded(world, accounts.account_from(name, raw))
    await world.put(keys.account(name), account)
    return account

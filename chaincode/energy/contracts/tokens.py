"""The contract `tokens`: token accounts."""

from chaincode.energy.contracts.transaction import world_of
from chaincode.energy.tokens import accounts, funds
from chaincode.energy.tokens.audit import Audit, audit
from chaincode.energy.tokens.records import Account, Deposit, Redemption
from chaincode.shim import Context, Contract, query, transaction


class Tokens(Contract):
    """Token accounts."""

    name = "tokens"

    @transaction
    async def deposit(
        self, ctx: Context, idgrid: str, amount_utoken: int, reference: str
    ) -> Deposit:
        """Community manager: issue micro-tokens to a participant."""
        return await accounts.deposit(
            world_of(ctx), idgrid=idgrid, amount_utoken=amount_utoken, reference=reference
        )

    @transaction
    async def fold(self, ctx: Context) -> Account:
        """Participant: gather own payouts into the account."""
        return await accounts.fold(world_of(ctx))

    @transaction
    async def fold_account(self, ctx: Context, account: str) -> Account:
        """Market operator: gather the payouts of any account into it."""
        return await funds.fold_account(world_of(ctx), account)

    @transaction
    async def redeem(self, ctx: Context, amount_utoken: int, reference: str) -> Redemption:
        """Participant: give micro-tokens back for money outside the ledger."""
        return await accounts.redeem(
            world_of(ctx), amount_utoken=amount_utoken, reference=reference
        )

    @transaction
    async def pay_from_fund(
        self, ctx: Context, fund: str, idgrid: str, amount_utoken: int, reference: str
    ) -> Account:
        """Manager for `pool`, grid operator for `network`: pay a participant out of it."""
        return await funds.pay(
            world_of(ctx),
            fund=fund,
            idgrid=idgrid,
            amount_utoken=amount_utoken,
            reference=reference,
        )

    @query
    async def account(self, ctx: Context, idgrid: str) -> accounts.AccountView:
        """Participant itself or staff: free and locked money, energy traded."""
        return await accounts.account_view(world_of(ctx), idgrid)

    @query
    async def audit(self, ctx: Context, after: str = "") -> Audit:
        """Staff: all money added up; `difference_utoken` is 0. With `following`, only a part."""
        return await audit(world_of(ctx), after=after)

    @query
    async def crowded(self, ctx: Context, after: str = "") -> funds.Crowded:
        """Staff: accounts with so many payouts that they should be gathered."""
        return await funds.crowded(world_of(ctx), after=after)

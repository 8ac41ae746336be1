"""Use cases of reading the community: participants, sources, meters, accounts, all money.

Everything comes from the read model; energy in Wh, money in micro-tokens.
"""

from dataclasses import dataclass

from chaincode.energy import keys
from chaincode.energy.access.grants import granted
from chaincode.energy.access.records import MARKET
from chaincode.energy.registry.records import Meter, Participant, Res
from chaincode.energy.tokens import accounts
from chaincode.energy.tokens.audit import KINDS, audited, money_in
from chaincode.energy.tokens.records import Account, Escrow, Payout
from gateway.books.ledger_records import LedgerRecords
from gateway.readmodel.queries import ReadModel


@dataclass(frozen=True, slots=True)
class AccountView:
    """A participant's money: what is free, and what open bids have locked."""

    idgrid: str
    balance_utoken: int
    locked_utoken: int
    sold_wh: int
    bought_wh: int


@dataclass(frozen=True, slots=True)
class MoneySupply:
    """All money: `issued` must equal `free` plus `locked`."""

    issued_utoken: int
    free_utoken: int
    locked_utoken: int

    @property
    def is_conserved(self) -> bool:
        """Whether no money appeared or vanished."""
        return self.issued_utoken == self.free_utoken + self.locked_utoken


class Community:
    """Questions about who takes part, answered at the read model's height."""

    def __init__(self, readmodel: ReadModel) -> None:
        self._ledger = LedgerRecords(readmodel)

    def participants(self) -> list[Participant]:
        """Everyone registered, by IDgrid."""
        return self._ledger.all(Participant, "participant")

    def participant(self, idgrid: str) -> Participant | None:
        """One participant."""
        return self._ledger.find(Participant, keys.participant(idgrid))

    def meters(self) -> list[Meter]:
        """Every registered meter, by id."""
        return self._ledger.all(Meter, "meter")

    def meter(self, meter_id: str) -> Meter | None:
        """One meter."""
        return self._ledger.find(Meter, keys.meter(meter_id))

    def meters_changed_at(self) -> int:
        """The last block that registered or changed a meter; -1 if there are none."""
        return self._ledger.changed_at("meter")

    def source(self, res_id: str) -> Res | None:
        """One energy source."""
        return self._ledger.find(Res, keys.res(res_id))

    def market_may_read(self, owner_idgrid: str, meter_ids: list[str], now_ms: int) -> bool:
        """Whether the owner lets the trading contract read these meters now."""
        return self.may_read(owner_idgrid, meter_ids, now_ms, grantee=MARKET)

    def may_read(
        self, owner_idgrid: str, meter_ids: list[str], now_ms: int, *, grantee: str
    ) -> bool:
        """Whether the owner lets a participant or a staff role read these meters now."""
        grants = self._ledger.raw(keys.access(owner_idgrid, grantee))
        return granted(grants, meter_ids, now_ms)

    def sources(self) -> list[Res]:
        """Every registered energy source, by id."""
        return self._ledger.all(Res, "res")

    def accounts(self) -> list[AccountView]:
        """Every account, by IDgrid."""
        names = {p.idgrid for p in self._ledger.all(Payout, "payout")}
        names |= {account.idgrid for account in self._ledger.all(Account, "account")}
        return [view for name in sorted(names) if (view := self.account(name)) is not None]

    def account(self, idgrid: str) -> AccountView | None:
        """One account: its balance with what is on its way to it, and its escrows."""
        base = self._ledger.find(Account, keys.account(idgrid))
        payouts = self._ledger.all(Payout, "payout", idgrid)
        if base is None and not payouts:
            return None
        escrows = self._ledger.all(Escrow, "escrow", idgrid)
        view = accounts.view_of(idgrid, base, payouts, escrows)
        return AccountView(
            idgrid=idgrid,
            balance_utoken=view.free_utoken,
            locked_utoken=view.locked_utoken,
            sold_wh=view.sold_wh,
            bought_wh=view.bought_wh,
        )

    def money(self) -> MoneySupply:
        """Where all the money is: every record of it added up, whoever it belongs to."""
        sums = {
            kind: sum(money_in(record) for record in self._ledger.all(record_type, kind))
            for kind, record_type in KINDS.items()
        }
        found = audited(sums)
        return MoneySupply(
            issued_utoken=found.deposited_utoken - found.redeemed_utoken,
            free_utoken=found.free_utoken + found.payouts_utoken,
            locked_utoken=found.escrowed_utoken,
        )

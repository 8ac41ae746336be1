"""The driver of settlement over the real contracts, pages side by side."""

import asyncio
from typing import Any

import pytest

from chaincode.energy.settlement import planning
from chaincode.shim import ContractError
from gateway.timetable.settling import DISPUTED, SETTLED, settle_listing
from tests.unit.energy.community import LISTING, Community, hour_of
from tests.unit.energy.settlement.trades import one_trade


class Operator:
    """`Submits` over the test ledger; pages asked for together come into one block."""

    def __init__(self, community: Community) -> None:
        self._community = community
        self._pages: list[Any] = []
        self.blocks: list[int] = []

    async def submit(self, function: str, *args: str) -> Any:
        if function != "settlement:pay_page":
            return self._community.scheduler.submit(function, *args)
        self._pages.append(self._community.scheduler.simulate(function, *args))
        await asyncio.sleep(0)
        if self._pages:
            codes = self._community.ledger.commit(self._pages)
            assert set(codes) == {"VALID"}
            self.blocks.append(len(codes))
            self._pages.clear()
        return True

    async def submit_unless(self, done_already: str, function: str, *args: str) -> Any:
        try:
            return await self.submit(function, *args)
        except ContractError as refusal:
            if refusal.code == done_already:
                return None
            raise


def test_pages_go_into_one_block_and_a_second_driver_finds_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planning, "PAGE_HOUSEHOLDS_MAX", 1)
    community, seller, buyer = one_trade()
    community.deliver({seller.idgrid: (0, 8000), buyer.idgrid: (8000, 0)})
    operator = Operator(community)
    assert asyncio.run(settle_listing(operator, LISTING)) == SETTLED
    assert operator.blocks == [2]
    assert community.account(seller)["free_utoken"] == 432_000
    again = Operator(community)
    assert asyncio.run(settle_listing(again, LISTING)) == SETTLED
    assert again.blocks == []
    assert community.audit()["difference_utoken"] == 0


def test_a_settlement_somebody_began_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "PAGE_HOUSEHOLDS_MAX", 1)
    community, seller, buyer = one_trade()
    community.deliver({seller.idgrid: (0, 8000), buyer.idgrid: (8000, 0)})
    community.settle()
    community.oracle.submit("settlement:pay_page", LISTING, 1)
    assert asyncio.run(settle_listing(Operator(community), LISTING)) == SETTLED
    assert community.account(seller)["free_utoken"] == 432_000


def test_missing_readings_are_the_caller_s_to_wait_for_until_the_listing_is_disputed() -> None:
    community, _, _ = one_trade()
    community.ledger.at(hour_of(LISTING).replace(hour=11))
    with pytest.raises(ContractError, match="READINGS_MISSING"):
        asyncio.run(settle_listing(Operator(community), LISTING))
    community.ledger.at(hour_of(LISTING).replace(hour=11, minute=3))
    assert asyncio.run(settle_listing(Operator(community), LISTING)) == DISPUTED

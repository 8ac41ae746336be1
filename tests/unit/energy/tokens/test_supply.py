"""The supply: deposits less redemptions, equal to what accounts, payouts and escrows hold."""

import pytest

from chaincode.energy.tokens import audit
from chaincode.shim import ContractError
from tests.unit.energy.community import Community, Household, refuses
from tests.unit.energy.settlement.trades import settled_trade


@pytest.fixture
def community() -> Community:
    community, _, _ = settled_trade(pool_share_permille=100)
    return community


def seller_of(community: Community) -> Household:
    return community.households[0]


def test_redeemed_tokens_are_gone_and_recorded(community: Community) -> None:
    seller = seller_of(community)
    free = community.account(seller)["free_utoken"]
    redeemed = seller.client.submit("tokens:redeem", free - 1, "cash")
    assert redeemed == {
        "idgrid": seller.idgrid,
        "amount_utoken": free - 1,
        "reference": "cash",
    }
    assert community.account(seller)["free_utoken"] == 1
    found = community.audit()
    assert found["redeemed_utoken"] == free - 1
    assert found["difference_utoken"] == 0
    assert found["free_utoken"] + found["payouts_utoken"] == 10**6 - (free - 1)
    assert community.ledger.events[-1].name == "Redeemed"


def test_a_large_community_is_audited_in_parts(
    community: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = community.audit()
    assert (whole["following"], whole["difference_utoken"]) == ("", 0)
    monkeypatch.setattr(audit, "AUDITED_KEYS_MAX", 2)
    parts = [community.manager.evaluate("tokens:audit")]
    while after := parts[-1]["following"]:
        parts.append(community.manager.evaluate("tokens:audit", after))
    assert len(parts) > 2
    for name in set(whole) - {"following"}:
        assert sum(part[name] for part in parts) == whole[name], name
    with pytest.raises(ContractError, match="INVALID_ARGUMENT"):
        community.manager.evaluate("tokens:audit", "listing~x")


def test_nobody_redeems_more_than_its_free_balance(community: Community) -> None:
    seller = seller_of(community)
    free = community.account(seller)["free_utoken"]
    redeem = "tokens:redeem"
    refuses(community, "INSUFFICIENT_FUNDS", seller.client, redeem, free + 1, "cash")
    refuses(community, "NOT_POSITIVE", seller.client, redeem, 0, "cash")
    refuses(community, "ROLE_NOT_ALLOWED", community.manager, redeem, 1, "cash")


def test_two_redemptions_of_the_same_money_in_one_block_count_once(community: Community) -> None:
    seller = seller_of(community)
    free = community.account(seller)["free_utoken"]
    both = [seller.client.simulate("tokens:redeem", free, "cash") for _ in range(2)]
    assert community.ledger.commit(both) == ["VALID", "MVCC_READ_CONFLICT"]
    assert community.audit()["difference_utoken"] == 0


def test_an_operator_gathers_the_payouts_of_any_account(community: Community) -> None:
    seller = seller_of(community)
    before = community.account(seller)
    assert before["pending_payouts"] == 1
    for name in (seller.idgrid, "pool"):
        community.scheduler.submit("tokens:fold_account", name)
        view = community.manager.evaluate("tokens:account", name)
        assert view["pending_payouts"] == 0
    assert community.account(seller) == before | {"pending_payouts": 0}
    fold = ("tokens:fold_account", seller.idgrid)
    refuses(community, "ROLE_NOT_ALLOWED", seller.client, *fold)
    refuses(community, "ROLE_NOT_ALLOWED", community.oracle, *fold)
    scheduler = community.scheduler
    refuses(community, "INVALID_ARGUMENT", scheduler, "tokens:fold_account", "transit")

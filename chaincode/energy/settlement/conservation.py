"""The laws every settlement obeys before any money moves: nothing appears, nothing vanishes."""

from collections.abc import Sequence

from chaincode.energy.market.settlement_terms import PERMILLE
from chaincode.energy.settlement.records import SettlementLine


class ConservationError(Exception):
    """Energy or money would appear or vanish: a fault of the rule, never of the input."""


def require_conserved(
    lines: Sequence[SettlementLine],
    *,
    locked_utoken: int,
    price_utoken_per_kwh: int,
    network_charge_utoken_per_kwh: int,
    pool_share_permille: int,
) -> None:
    """Every Wh and every micro-token is accounted for; raises `ConservationError`."""
    settled_wh = sum(line.sold_wh for line in lines)
    total_utoken = sum(line.paid_utoken for line in lines)
    charge_utoken = sum(line.network_charge_utoken for line in lines)
    pool_utoken = sum(line.pool_share_utoken for line in lines)
    credited_utoken = sum(line.credit_utoken for line in lines)
    laws = {
        "all that is sold is bought": sum(line.bought_wh for line in lines) == settled_wh,
        "the sellers get what the buyers pay": sum(line.received_utoken for line in lines)
        == total_utoken,
        "the total is energy times price": total_utoken
        == settled_wh * price_utoken_per_kwh // 1000,
        "the network charge is energy times its rate": charge_utoken
        == settled_wh * network_charge_utoken_per_kwh // 1000,
        "the pool gets its share": pool_utoken == total_utoken * pool_share_permille // PERMILLE,
        "locked money is paid, charged or refunded": sum(line.released_utoken for line in lines)
        == locked_utoken,
        "all money goes somewhere": credited_utoken + charge_utoken + pool_utoken == locked_utoken,
    }
    broken = [law for law, holds in laws.items() if not holds]
    broken += [law for line in lines for law in _broken_by(line)]
    if broken:
        raise ConservationError(f"does not hold: {'; '.join(broken)}")


def _broken_by(line: SettlementLine) -> list[str]:
    """Laws of one household."""
    laws = {
        "nobody pays more than was locked": line.refunded_utoken >= 0,
        "imports are bought here or from the utility": line.imported_wh
        == line.bought_wh + line.bought_from_utility_wh,
        "exports are sold here or to the utility": line.exported_wh
        == line.sold_wh + line.sold_to_utility_wh,
        "nobody buys more than was matched": line.bought_wh <= line.matched_buy_wh,
        "nobody sells more than was matched": line.sold_wh <= line.matched_sell_wh,
        "nobody sells at a loss of more than the proceeds": 0
        <= line.pool_share_utoken
        <= line.received_utoken,
    }
    return [f"{law} ({line.idgrid})" for law, holds in laws.items() if not holds]

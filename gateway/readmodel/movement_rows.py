"""From written keys to movements: what one transaction changed in one purse. Pure.

Money of the contracts lies in three kinds of keys: an account, payouts on their way to it, and
escrows; a member's part of a group's purse is in its membership. A movement is the difference of
all of them, so the movements of a purse add up to what is in it, whatever a contract did, and
whichever of its functions did it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.readmodel.block_facts import StateWrite, shown
from gateway.readmodel.records import Cause, TransactionRecord

SEPARATOR = "~"
OWN_PURSE = ""
SUBJECT_ARGUMENT: Mapping[str, int] = {
    "tokens:deposit": 2,
    "tokens:redeem": 1,
    "tokens:pay_from_fund": 3,
    "groups:split": 1,
}
"""Which argument says what a movement is about, where it is not the first one."""
CAUSES: Mapping[str, Cause] = {
    "deposit": Cause.DEPOSIT,
    "pool": Cause.FUND,
    "network": Cause.FUND,
    "group": Cause.GROUP,
    "settle": Cause.SETTLEMENT,
    "correct": Cause.CORRECTION,
    "marketplace": Cause.DEAL,
    "forfeit": Cause.FORFEIT,
}
"""Source of a payout -> why it is paid; other sources only free what was locked."""
FUNCTION_CAUSES: Mapping[str, Cause] = {
    "tokens:redeem": Cause.REDEMPTION,
    "tokens:pay_from_fund": Cause.FUND,
    "groups:pay_in": Cause.GROUP,
    "groups:draw_out": Cause.GROUP,
    "groups:split": Cause.GROUP_HOUR,
    "market:settle": Cause.SETTLEMENT,
    "settlement:pay_page": Cause.SETTLEMENT,
    "settlement:correct": Cause.CORRECTION,
}
"""Of transactions that pay nothing out to the purse in question."""
AMOUNT_MAX = 2**60
"""Of a value; so the sum of some differences has 64 bits."""
Purse = tuple[str, str]
"""Whose it is, and in which group; `OWN_PURSE`: its own account."""
Values = dict[str, bytes | None]
"""Keys of money and their values; None: there is no such key."""


@dataclass(slots=True)
class Change:
    """What a transaction did to a purse so far; micro-tokens and Wh."""

    free_utoken: int = 0
    locked_utoken: int = 0
    sold_wh: int = 0
    bought_wh: int = 0
    sources: list[str] = field(default_factory=list)
    """Of the payouts it wrote."""
    subjects: list[str] = field(default_factory=list)
    """Listings and posts whose escrows it wrote."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is different."""
        return not (self.free_utoken or self.locked_utoken or self.sold_wh or self.bought_wh)


def is_money(key: str) -> bool:
    """Whether a contract's key holds money."""
    return key.split(SEPARATOR, 1)[0] in _READERS


def changes_of(writes: Iterable[StateWrite], values: Values) -> dict[Purse, Change]:
    """What these writes change, by purse; `values` are brought up to date.

    Raises `ValueError`, `KeyError` or `TypeError` for a value no contract of this version writes.
    """
    found: dict[Purse, Change] = {}
    for written in writes:
        key = written.write.key
        if not is_money(key):
            continue
        family, *parts = key.split(SEPARATOR)
        before = values.get(key)
        after = None if written.write.is_delete else written.write.value
        values[key] = after
        if after != before:
            _READERS[family](found, parts, _content(before), _content(after))
    return {purse: change for purse, change in found.items() if not change.is_empty}


def movement_columns(
    purse: Purse, change: Change, record: TransactionRecord, at_ms: int
) -> dict[str, object]:
    """The row of `MovementRow`."""
    idgrid, group_id = purse
    return {
        "idgrid": shown(idgrid),
        "group_id": shown(group_id),
        "block_number": record.block_number,
        "tx_index": record.index,
        "tx_id": record.tx_id,
        "at_ms": at_ms,
        "cause": cause_of(change, record.function),
        "subject": subject_of(change, record),
        "free_utoken": change.free_utoken,
        "locked_utoken": change.locked_utoken,
        "sold_wh": change.sold_wh,
        "bought_wh": change.bought_wh,
    }


def cause_of(change: Change, function: str) -> Cause:
    """Why: money that only changes between free and locked is that and nothing else."""
    total = change.free_utoken + change.locked_utoken
    if not total and not change.sold_wh and not change.bought_wh and change.locked_utoken:
        settled = [CAUSES[source] for source in change.sources if source in ("settle", "correct")]
        if settled:
            return settled[0]
        return Cause.LOCKED if change.locked_utoken > 0 else Cause.FREED
    for source in change.sources:
        if source in CAUSES:
            return CAUSES[source]
    if function in FUNCTION_CAUSES:
        return FUNCTION_CAUSES[function]
    return Cause.FORFEIT if total < 0 and "unseal" in change.sources else Cause.OTHER


def subject_of(change: Change, record: TransactionRecord) -> str:
    """The listing or post, or the reference somebody gave."""
    if change.subjects:
        return shown(change.subjects[0])
    place = SUBJECT_ARGUMENT.get(record.function, 0)
    return shown(record.arguments[place]) if place < len(record.arguments) else ""


def _content(raw: bytes | None) -> dict[str, int]:
    content: dict[str, int] = json.loads(raw) if raw else {}
    return content


def _account(
    found: dict[Purse, Change], parts: list[str], before: dict[str, int], after: dict[str, int]
) -> None:
    change = found.setdefault((parts[0], OWN_PURSE), Change())
    change.free_utoken += _difference("balance_utoken", before, after)
    change.sold_wh += _difference("sold_wh", before, after)
    change.bought_wh += _difference("bought_wh", before, after)


def _payout(
    found: dict[Purse, Change], parts: list[str], before: dict[str, int], after: dict[str, int]
) -> None:
    change = found.setdefault((parts[0], OWN_PURSE), Change())
    change.free_utoken += _difference("amount_utoken", before, after)
    change.sold_wh += _difference("sold_wh", before, after)
    change.bought_wh += _difference("bought_wh", before, after)
    if after:
        change.sources.append(parts[1])


def _escrow(
    found: dict[Purse, Change], parts: list[str], before: dict[str, int], after: dict[str, int]
) -> None:
    change = found.setdefault((parts[0], OWN_PURSE), Change())
    change.locked_utoken += _difference("locked_utoken", before, after)
    change.subjects.append(parts[1])


def _group_member(
    found: dict[Purse, Change], parts: list[str], before: dict[str, int], after: dict[str, int]
) -> None:
    group_id, idgrid = parts
    change = found.setdefault((idgrid, group_id), Change())
    change.free_utoken += _difference("balance_utoken", before, after)


def _difference(name: str, before: Mapping[str, int], after: Mapping[str, int]) -> int:
    then, now = (before[name] if before else 0), (after[name] if after else 0)
    if any(type(value) is not int or abs(value) > AMOUNT_MAX for value in (then, now)):
        raise ValueError(f"{name} is no amount")
    return now - then


_READERS = {
    "account": _account,
    "payout": _payout,
    "escrow": _escrow,
    "groupmember": _group_member,
}

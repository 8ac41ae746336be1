"""In which order the orders of a listing reached the ledger.

A contract cannot see the block and index of a transaction, and a client's clock must not decide.
So every order writes the one key `arrivals~<listing>` without reading it. Blind writes never
conflict, and the ledger's own history of that key lists exactly the valid orders by (block,
transaction index). `clear` reads this history, with `GetHistoryForKey` of any Fabric peer.
"""

from collections.abc import Sequence


class IncompleteHistory(Exception):  # noqa: N818 - the field's word
    """The peer's history of the arrivals key is missing or does not begin with the opening."""


def ledger_positions(tx_ids: Sequence[str], *, opened_by_tx: str) -> dict[str, int]:
    """Position of every transaction in the history of an arrivals key, 0 for the opening.

    Fabric 2 and later give the newest entry first, older peers the oldest first; the opening
    transaction, known from the listing, is the oldest entry and tells which it is.
    """
    if tx_ids and tx_ids[-1] == opened_by_tx:
        oldest_first = list(reversed(tx_ids))
    elif tx_ids and tx_ids[0] == opened_by_tx:
        oldest_first = list(tx_ids)
    else:
        raise IncompleteHistory("the history of the listing does not begin with its opening")
    return {tx_id: position for position, tx_id in enumerate(oldest_first)}

"""Which transaction ids a block uses up.

An id counts as used once its creator is known to have signed it, whether or not the transaction
is valid. The code says so by itself, so whoever has block and codes can tell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.errors import TransactionInvalid
from ledger.model.codes import ValidationCode
from ledger.model.transaction import Envelope

RECORDING_CODES = frozenset(
    {
        ValidationCode.VALID,
        ValidationCode.INVALID_CONFIG_TRANSACTION,
        ValidationCode.ENDORSEMENT_POLICY_FAILURE,
        ValidationCode.MVCC_READ_CONFLICT,
        ValidationCode.PHANTOM_READ_CONFLICT,
        ValidationCode.TARGET_CHAIN_NOT_FOUND,
        ValidationCode.INVALID_CHAINCODE,
        ValidationCode.ILLEGAL_WRITESET,
        ValidationCode.INVALID_WRITESET,
    }
)
"""Given only after signature and id were found good; all others may come before."""


@dataclass(frozen=True, slots=True)
class RecordedTransaction:
    """Where in its block the transaction stands that first used an id, and its code."""

    tx_id: str
    tx_index: int
    code: ValidationCode


def recorded_transactions(
    entries: Sequence[Envelope | TransactionInvalid],
    codes: Sequence[ValidationCode],
    is_recorded: Callable[[str], bool],
) -> tuple[RecordedTransaction, ...]:
    """Ids that a block uses first, in block order.

    `is_recorded` answers for earlier blocks. What is recorded once is never replaced.
    """
    found: dict[str, RecordedTransaction] = {}
    for index, (entry, code) in enumerate(zip(entries, codes, strict=True)):
        if code not in RECORDING_CODES or isinstance(entry, TransactionInvalid):
            continue
        tx_id = entry.tx_id
        if tx_id not in found and (code == ValidationCode.VALID or not is_recorded(tx_id)):
            found[tx_id] = RecordedTransaction(tx_id, index, code)
    return tuple(found.values())

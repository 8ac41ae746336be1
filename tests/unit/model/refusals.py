"""How a decoder answers bytes: any error that is not an agreed one fails the test by itself."""

from collections.abc import Callable

from ledger.errors import InvalidMessage, Reason, TransactionInvalid
from ledger.model.codes import ValidationCode


def refusal(decode: Callable[[bytes], object], raw: bytes) -> Reason | ValidationCode | None:
    """Why the bytes were refused, or None if they were decoded."""
    try:
        decode(raw)
    except InvalidMessage as error:
        return error.reason
    except TransactionInvalid as error:
        return error.code
    return None

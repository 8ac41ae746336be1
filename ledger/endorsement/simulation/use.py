"""What one simulation has used of its limits, and what it may no longer do.

Queries of private data and paged queries record nothing that validation could check again, so
they are for transactions that write nothing; Fabric's rule and words.
"""

from collections.abc import Iterator
from typing import TypeVar

from ledger.endorsement.limits import SimulationLimits
from ledger.errors import GridledgerError
from ledger.model.transaction_limits import NAME_CHARACTERS_MAX

R = TypeVar("R")


class SimulationRefused(GridledgerError):  # noqa: N818 - the contract's request is refused
    """A contract asked for what the ledger does not give; the text goes to the contract."""


class SimulationUse:
    """Counts of one transaction over all chaincodes that take part in it."""

    __slots__ = (
        "_limits",
        "_paged",
        "_queried_private",
        "_reads",
        "_scans",
        "_tx_id",
        "_write_bytes",
        "_writes",
    )

    def __init__(self, tx_id: str, limits: SimulationLimits) -> None:
        self._tx_id = tx_id
        self._limits = limits
        self._reads = self._writes = self._write_bytes = self._scans = 0
        self._paged = self._queried_private = False

    def reading(self) -> None:
        """One key is read."""
        self._reads += 1
        if self._reads > self._limits.reads_max:
            raise SimulationRefused(f"more than {self._limits.reads_max} keys read")

    def counted(self, rows: Iterator[R]) -> Iterator[R]:
        """The rows of a scan, each of which is a read."""
        for row in rows:
            self.reading()
            yield row

    def scanning(self) -> None:
        """A scan begins."""
        self._scans += 1
        if self._scans > self._limits.range_queries_max:
            raise SimulationRefused(f"more than {self._limits.range_queries_max} range queries")

    def querying_private(self) -> None:
        """A scan of private data begins."""
        if self._writes:
            raise self._unsupported(
                "Queries on pvt data is supported only in a read-only transaction"
            )
        self._queried_private = True
        self.scanning()

    def paging(self) -> None:
        """A paged query begins."""
        if self._writes:
            raise self._unsupported(
                "Paginated queries are supported only in a read-only transaction"
            )
        self._paged = True

    def writing(self, size: int) -> None:
        """Key and value of this size are written."""
        if self._queried_private:
            raise self._unsupported(
                "Transaction has already performed queries on pvt data. Writes are not allowed"
            )
        if self._paged:
            raise self._unsupported(
                "Transaction has already performed a paginated query. Writes are not allowed"
            )
        self._writes += 1
        self._write_bytes += size
        if self._writes > self._limits.writes_max:
            raise SimulationRefused(f"more than {self._limits.writes_max} writes")
        if self._write_bytes > self._limits.write_bytes_max:
            raise SimulationRefused(f"more than {self._limits.write_bytes_max} bytes written")

    def _unsupported(self, text: str) -> SimulationRefused:
        return SimulationRefused(f"txid [{self._tx_id}]: unsupported transaction. {text}")


def require_key(key: str) -> None:
    """Refuse the empty key."""
    if not key:
        raise SimulationRefused("a key must not be empty")


def require_metadata_name(name: str) -> None:
    """Refuse a name too long for the database."""
    if len(name) > NAME_CHARACTERS_MAX:
        raise SimulationRefused(f"a metadata name has at most {NAME_CHARACTERS_MAX} characters")

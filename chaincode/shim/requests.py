"""What a contract asks of its peer, as awaitable values.

`await GetState("k")` suspends the contract's coroutine and hands the value itself to whoever
drives it: a socket session, a service, or the test ledger. The driver sends the answer back in.
So contracts are ordinary `async def` code, and no event loop is involved.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")


class Request(Generic[Answer]):
    """One question to the peer; a transaction has at most one open."""

    __slots__ = ()

    def __await__(self) -> Generator["Request[Any]", Answer, Answer]:
        return (yield self)


@dataclass(frozen=True, slots=True)
class KeyValue:
    """A row of a range scan."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class KeyModification:
    """A past value of a key, newest first; `timestamp_ns` is the transaction's, UTC."""

    tx_id: str
    value: bytes
    timestamp_ns: int
    is_delete: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of an open query; `has_more` means `QueryNext(query_id)` gives further ones."""

    rows: tuple[KeyValue | KeyModification, ...]
    has_more: bool
    query_id: str
    bookmark: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """A chaincode's answer: 200 to 399 succeeds; `payload` are the contract's own bytes."""

    status: int
    message: str
    payload: bytes


# An empty `collection` means the public state, else that private data collection.


@dataclass(frozen=True, slots=True)
class GetState(Request[bytes]):
    """The committed value; empty: absent."""

    key: str
    collection: str = ""


@dataclass(frozen=True, slots=True)
class GetStates(Request[list[bytes]]):
    """Several committed values, in the order asked."""

    keys: tuple[str, ...]
    collection: str = ""


@dataclass(frozen=True, slots=True)
class GetRange(Request[Page]):
    """First page of [start_key, end_key); `page_size` 0: the peer's own size."""

    start_key: str
    end_key: str
    page_size: int = 0
    bookmark: str = ""
    collection: str = ""


@dataclass(frozen=True, slots=True)
class GetQueryResult(Request[Page]):
    """First page of the values a selector (JSON text) matches; `page_size` as in GetRange."""

    query: str
    page_size: int = 0
    bookmark: str = ""
    collection: str = ""


@dataclass(frozen=True, slots=True)
class GetHistory(Request[Page]):
    """First page of all values a key had."""

    key: str


@dataclass(frozen=True, slots=True)
class GetPrivateDataHash(Request[bytes]):
    """SHA-256 of a private value, which every peer knows; empty: absent."""

    key: str
    collection: str


@dataclass(frozen=True, slots=True)
class QueryNext(Request[Page]):
    """The next page of an open query, of history or of state."""

    query_id: str
    of_history: bool = False


@dataclass(frozen=True, slots=True)
class QueryClose(Request[None]):
    """The query is not read to its end."""

    query_id: str


@dataclass(frozen=True, slots=True)
class GetMetadata(Request[dict[str, bytes]]):
    """A key's metadata, such as its own endorsement policy."""

    key: str
    collection: str = ""


@dataclass(frozen=True, slots=True)
class InvokeChaincode(Request[Response]):
    """Another chaincode's function, in this transaction; `name` may be `chaincode/channel`."""

    name: str
    args: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """A new value (None: delete), or metadata if `metadata_name` is set.

    `is_purge` deletes a private key together with its past values.
    """

    key: str
    value: bytes | None
    metadata_name: str = ""
    collection: str = ""
    is_purge: bool = False


@dataclass(frozen=True, slots=True)
class PutOne(Request[None]):
    """One write, for peers before Fabric 3.1."""

    write: Write


@dataclass(frozen=True, slots=True)
class PutBatch(Request[None]):
    """Writes in one message (Fabric 3.1)."""

    writes: tuple[Write, ...]

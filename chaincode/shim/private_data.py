"""Private data: values that only the members of a collection store; the ledger holds hashes.

Every function names its collection first; `_implicit_org_<MSP id>` is there for every member.
Only a peer whose member belongs to the collection can read values; hashes can be read anywhere.
Put secrets into transient data (`get_transient`), never into arguments: those are on the ledger.
"""

from collections.abc import Iterable, Sequence

from chaincode.shim.composite_keys import composite_range, require_simple_key
from chaincode.shim.errors import ContractError
from chaincode.shim.iterators import QueryIterator
from chaincode.shim.requests import (
    GetMetadata,
    GetPrivateDataHash,
    GetQueryResult,
    GetRange,
    GetState,
    KeyValue,
    Write,
)
from chaincode.shim.state_reads import (
    VALIDATION_PARAMETER,
    Query,
    query_text,
    read_values,
    simple_range,
)
from chaincode.shim.state_writes import as_bytes
from chaincode.shim.transaction_facts import TransactionFacts

IMPLICIT_COLLECTION_PREFIX = "_implicit_org_"


def implicit_collection(mspid: str) -> str:
    """The collection that every member has of its own, without a definition."""
    return IMPLICIT_COLLECTION_PREFIX + mspid


class PrivateData(TransactionFacts):
    """Reading and writing collections."""

    __slots__ = ()

    async def get_private_data(self, collection: str, key: str) -> bytes:
        """The committed private value, empty if absent."""
        _require(collection, key)
        return await GetState(key, collection)

    async def get_multiple_private_data(self, collection: str, keys: Iterable[str]) -> list[bytes]:
        """Several private values in the order asked, in as few messages as the peer allows."""
        wanted = tuple(keys)
        _require(collection, *wanted)
        return await read_values(wanted, self._given.features, collection)

    async def get_private_data_hash(self, collection: str, key: str) -> bytes:
        """SHA-256 of the private value (32 bytes, empty if absent), on every peer."""
        _require(collection, key)
        return await GetPrivateDataHash(key, collection)

    def get_private_data_by_range(
        self, collection: str, start_key: str, end_key: str
    ) -> QueryIterator[KeyValue]:
        """Rows of [start_key, end_key); only in transactions that write nothing."""
        _require(collection)
        return QueryIterator(simple_range(start_key, end_key, collection))

    def get_private_data_by_partial_composite_key(
        self, collection: str, object_type: str, attributes: Sequence[str]
    ) -> QueryIterator[KeyValue]:
        """Rows whose composite key begins with these attributes."""
        _require(collection)
        start, end = composite_range(object_type, attributes)
        return QueryIterator(GetRange(start, end, collection=collection))

    def get_private_data_query_result(
        self, collection: str, query: Query
    ) -> QueryIterator[KeyValue]:
        """Rows whose JSON value matches a selector; only in transactions that write nothing."""
        _require(collection)
        return QueryIterator(GetQueryResult(query_text(query), collection=collection))

    async def put_private_data(self, collection: str, key: str, value: bytes | str) -> None:
        """Set a private key if the transaction becomes valid; an empty value deletes it."""
        _require(collection, key)
        self._writes.add(Write(key, as_bytes(value), collection=collection))

    async def del_private_data(self, collection: str, key: str) -> None:
        """Remove a private key; members keep its past values."""
        _require(collection, key)
        self._writes.add(Write(key, None, collection=collection))

    delete_private_data = del_private_data

    async def purge_private_data(self, collection: str, key: str) -> None:
        """Remove a private key and its past values from every member; hashes stay in blocks."""
        _require(collection, key)
        self._writes.add(Write(key, None, collection=collection, is_purge=True))

    async def get_private_data_validation_parameter(self, collection: str, key: str) -> bytes:
        """The private key's own endorsement policy, empty if none."""
        _require(collection, key)
        return (await GetMetadata(key, collection)).get(VALIDATION_PARAMETER, b"")

    async def set_private_data_validation_parameter(
        self, collection: str, key: str, policy: bytes
    ) -> None:
        """Give a private key its own endorsement policy; see `chaincode.shim.KeyPolicy`."""
        _require(collection, key)
        self._writes.add(Write(key, policy, VALIDATION_PARAMETER, collection))


def _require(collection: str, *keys: str) -> None:
    if not collection:
        raise ContractError("INVALID_COLLECTION", "the name of a collection must not be empty")
    for key in keys:
        require_simple_key(key)

"""Reading public state, as a contract does it.

Reads give the committed state: a transaction does not see its own writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chaincode.shim.composite_keys import MIN_SIMPLE_KEY, composite_range, require_simple_key
from chaincode.shim.errors import ContractError
from chaincode.shim.iterators import QueryIterator
from chaincode.shim.json_values import canonical_json
from chaincode.shim.peer_features import PeerFeatures
from chaincode.shim.requests import (
    GetHistory,
    GetMetadata,
    GetQueryResult,
    GetRange,
    GetState,
    GetStates,
    KeyModification,
    KeyValue,
)
from chaincode.shim.transaction_facts import TransactionFacts

VALIDATION_PARAMETER = "VALIDATION_PARAMETER"
PAGE_SIZE_MAX = 2**31 - 1
"""Rows; the number is an int32 on the wire."""

Query = str | Mapping[str, Any]
"""A selector as JSON text or as the value it stands for."""


class StateReads(TransactionFacts):
    """Keys, ranges, history, rich queries."""

    __slots__ = ()

    async def get_state(self, key: str) -> bytes:
        """The committed value, empty if absent."""
        require_simple_key(key)
        return await GetState(key)

    async def get_states(self, keys: Iterable[str]) -> list[bytes]:
        """Several committed values in the order asked, in as few messages as the peer allows."""
        return await read_values(tuple(keys), self._given.features)

    get_multiple_states = get_states

    def get_state_by_range(self, start_key: str, end_key: str) -> QueryIterator[KeyValue]:
        """Rows of [start_key, end_key) by key; an empty end means all simple keys."""
        return QueryIterator(simple_range(start_key, end_key))

    async def get_state_by_range_with_pagination(
        self, start_key: str, end_key: str, page_size: int, bookmark: str = ""
    ) -> tuple[list[KeyValue], str]:
        """One page and the bookmark of the next (empty: none); only where nothing is written."""
        simple_range(start_key, end_key)
        return await _page(GetRange(start_key or MIN_SIMPLE_KEY, end_key, page_size, bookmark))

    def get_state_by_partial_composite_key(
        self, object_type: str, attributes: Sequence[str]
    ) -> QueryIterator[KeyValue]:
        """Rows whose composite key begins with these attributes."""
        return QueryIterator(GetRange(*composite_range(object_type, attributes)))

    async def get_state_by_partial_composite_key_with_pagination(
        self, object_type: str, attributes: Sequence[str], page_size: int, bookmark: str = ""
    ) -> tuple[list[KeyValue], str]:
        """One page of them; see `get_state_by_range_with_pagination`."""
        start, end = composite_range(object_type, attributes)
        return await _page(GetRange(start, end, page_size, bookmark))

    def get_query_result(self, query: Query) -> QueryIterator[KeyValue]:
        """Rows whose JSON value matches a selector, such as {"selector": {"kind": "offer"}}.

        Validation does not repeat the query: what appears or goes meanwhile is not noticed.
        """
        return QueryIterator(GetQueryResult(query_text(query)))

    async def get_query_result_with_pagination(
        self, query: Query, page_size: int, bookmark: str = ""
    ) -> tuple[list[KeyValue], str]:
        """One page of them; see `get_state_by_range_with_pagination`."""
        return await _page(GetQueryResult(query_text(query), page_size, bookmark))

    def get_history_for_key(self, key: str) -> QueryIterator[KeyModification]:
        """All values the key had, newest first; not repeated by validation."""
        require_simple_key(key)
        return QueryIterator(GetHistory(key))

    async def get_state_validation_parameter(self, key: str) -> bytes:
        """The key's own endorsement policy (SignaturePolicyEnvelope bytes), empty if none."""
        require_simple_key(key)
        return (await GetMetadata(key)).get(VALIDATION_PARAMETER, b"")


async def read_values(
    keys: tuple[str, ...], features: PeerFeatures, collection: str = ""
) -> list[bytes]:
    """Committed values in the order asked, in as few messages as the peer allows."""
    for key in keys:
        require_simple_key(key)
    size = features.get_multiple_max
    if not size:
        return [await GetState(key, collection) for key in keys]
    values: list[bytes] = []
    for start in range(0, len(keys), size):
        values += await GetStates(keys[start : start + size], collection)
    return values


def simple_range(start_key: str, end_key: str, collection: str = "") -> GetRange:
    """The request for [start_key, end_key) without composite keys."""
    for key in filter(None, (start_key, end_key)):
        require_simple_key(key)
    return GetRange(start_key or MIN_SIMPLE_KEY, end_key, collection=collection)


def query_text(query: Query) -> str:
    """The query as JSON text; ContractError INVALID_ARGUMENT if it is empty."""
    text = query if isinstance(query, str) else canonical_json(dict(query)).decode("utf-8")
    if not text:
        raise ContractError("INVALID_ARGUMENT", "a query must not be empty")
    return text


async def _page(request: GetRange | GetQueryResult) -> tuple[list[KeyValue], str]:
    if not 0 < request.page_size <= PAGE_SIZE_MAX:
        raise ContractError("INVALID_ARGUMENT", f"a page has 1 to {PAGE_SIZE_MAX} rows")
    page = await request
    return [row for row in page.rows if isinstance(row, KeyValue)], page.bookmark

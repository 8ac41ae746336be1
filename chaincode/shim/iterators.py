"""Rows of a query, fetched page by page as a contract reads them."""

from collections.abc import Generator
from typing import Any, Generic, TypeVar, cast

from chaincode.shim.requests import GetHistory, Page, QueryClose, QueryNext, Request

Row = TypeVar("Row")


class QueryIterator(Generic[Row]):
    """`async for row in stub.get_state_by_range(a, b)`; may also be awaited first, as in Fabric.

    Nothing is asked before the first row is wanted. `close()` ends a query early.
    """

    __slots__ = ("_closed", "_first", "_page", "_position")

    def __init__(self, first: Request[Page]) -> None:
        self._first = first
        self._page: Page | None = None
        self._position = 0
        self._closed = False

    def __await__(self) -> Generator[Request[Any], Any, "QueryIterator[Row]"]:
        if self._page is None:
            self._page = yield from self._first.__await__()
        return self

    def __aiter__(self) -> "QueryIterator[Row]":
        return self

    async def __anext__(self) -> Row:
        if self._closed:
            raise StopAsyncIteration
        page = self._page
        if page is None:
            page = self._page = await self._first
        while self._position == len(page.rows):
            if not page.has_more:
                self._closed = True
                raise StopAsyncIteration
            page = self._page = await QueryNext(page.query_id, isinstance(self._first, GetHistory))
            self._position = 0
        row = page.rows[self._position]
        self._position += 1
        return cast("Row", row)

    async def close(self) -> None:
        """Tell the peer that no further row is wanted."""
        page = self._page
        if not self._closed and page is not None and page.has_more:
            await QueryClose(page.query_id)
        self._closed = True

"""A staff member of the in-process ledger, as `Actor` is one of a network."""

import json
from typing import Any


class LedgerActor:
    """Arguments are text on a network; here they are values."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def submit(self, function: str, *args: str) -> Any:
        def value(text: str) -> Any:
            return json.loads(text) if text[:1] == "[" or text.isdigit() else text

        return self._client.submit(function, *(value(text) for text in args))

    async def evaluate(self, function: str, *args: str) -> Any:
        return self._client.evaluate(function, *args)

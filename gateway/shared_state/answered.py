"""Requests with an Idempotency-Key, over all replicas: each is answered once."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from gateway.database import Database
from gateway.database.upserting import insert_or_keep
from gateway.shared_state.tables import AnsweredRow

KEPT_MS = 24 * 60 * 60 * 1000
IN_WORK_MS_MAX = 2 * 60 * 1000
"""A gateway that takes longer has died with the request; it may be sent again."""

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the first request got; `status` is None while it is being answered."""

    request_digest: bytes
    status: int | None
    headers: Headers
    body: bytes


class AnsweredRequests:
    """See `AnsweredRow`; calls block."""

    def __init__(self, database: Database, clock_ms: Callable[[], int]) -> None:
        self._database = database
        self._clock_ms = clock_ms

    def begin(self, key_digest: bytes, request_digest: bytes) -> Answer | None:
        """None: the key is new, the caller answers and then completes or abandons it."""
        now_ms = self._clock_ms()
        row = {
            "key_digest": key_digest,
            "request_digest": request_digest,
            "begun_ms": now_ms,
            "status": None,
            "headers": "[]",
            "body": b"",
        }
        died = (AnsweredRow.begun_ms < now_ms - IN_WORK_MS_MAX) & AnsweredRow.status.is_(None)
        with self._database.writing() as connection:
            connection.execute(
                delete(AnsweredRow).where(died | (AnsweredRow.begun_ms < now_ms - KEPT_MS))
            )
            if insert_or_keep(connection, AnsweredRow, row):
                return None
            known = connection.execute(
                select(AnsweredRow).where(AnsweredRow.key_digest == key_digest)
            ).one()
        headers = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in json.loads(known.headers)
        ]
        return Answer(known.request_digest, known.status, headers, known.body)

    def complete(self, key_digest: bytes, status: int, headers: Headers, body: bytes) -> None:
        """Keep the answer for whoever repeats the request."""
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        with self._database.writing() as connection:
            connection.execute(
                update(AnsweredRow)
                .where(AnsweredRow.key_digest == key_digest)
                .values(status=status, headers=json.dumps(pairs), body=body)
            )

    def abandon(self, key_digest: bytes) -> None:
        """There was no answer worth keeping: the request may be sent again."""
        with self._database.writing() as connection:
            connection.execute(delete(AnsweredRow).where(AnsweredRow.key_digest == key_digest))

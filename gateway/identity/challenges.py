"""Challenges that somebody is to answer with a key, once and within a few minutes."""

import secrets
from collections.abc import Callable

from sqlalchemy import delete, insert

from gateway.database import Database
from gateway.identity.tables import ChallengeRow
from ledger.crypto.hashing import sha256

CHALLENGE_BYTES = 32
CHALLENGE_LIFETIME_MS = 5 * 60 * 1000


class Challenges:
    """Kept as hashes, so that any gateway of a database takes the answer."""

    def __init__(self, database: Database, clock_ms: Callable[[], int]) -> None:
        self._database = database
        self._clock_ms = clock_ms

    def new(self, purpose: str) -> bytes:
        """A fresh one; `purpose` says which answer it is for."""
        challenge, now_ms = secrets.token_bytes(CHALLENGE_BYTES), self._clock_ms()
        values = {
            "challenge_hash": sha256(challenge),
            "idgrid": purpose,
            "expires_ms": now_ms + CHALLENGE_LIFETIME_MS,
        }
        with self._database.writing() as connection:
            connection.execute(delete(ChallengeRow).where(ChallengeRow.expires_ms <= now_ms))
            connection.execute(insert(ChallengeRow), values)
        return challenge

    def use(self, challenge: bytes, purpose: str) -> bool:
        """Use it up; whether it was there for this purpose."""
        used = (
            delete(ChallengeRow)
            .where(ChallengeRow.challenge_hash == sha256(challenge))
            .where(ChallengeRow.idgrid == purpose, ChallengeRow.expires_ms > self._clock_ms())
        )
        with self._database.writing() as connection:
            return connection.execute(used).rowcount == 1

"""Login with IDgrid and password. Wrong ones in a row lock the name, whether it exists or not.

The answers for a name without a password and for a wrong password are the same, take the same
work and lock alike, so nobody learns who has an account (row E015). A lock stops passwords only:
a stranger cannot keep a household with a passkey out.
"""

import math
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from sqlalchemy import Connection, case, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gateway.database import Database
from gateway.errors import FieldError, Problem, RequestRefused
from gateway.identity.ending import Endings
from gateway.identity.identity_log import IdentityLog
from gateway.identity.tables import LoginFailureRow, PasswordRow
from ledger.crypto.hashing import sha256

PASSWORD_CHARACTERS_MIN, PASSWORD_CHARACTERS_MAX = 10, 128
FAILURES_MAX = 5
LOCK_MS = 15 * 60 * 1000
FAILURES_KEPT_MS = 60 * 60 * 1000
SALT_BYTES, HASH_BYTES = 16, 32
SCRYPT_N, SCRYPT_R, SCRYPT_P = 2**15, 8, 1
"""32 MiB and some 80 ms for every try."""
CHECKS_AT_ONCE_MAX = 2
CHECK_WAIT_S = 2.0
"""Beyond that many checks at once, others wait; longer than that, they are sent away."""
NO_PASSWORD = f"{bytes(SALT_BYTES).hex()}:{bytes(HASH_BYTES).hex()}"


class Passwords:
    """Passwords of households."""

    def __init__(
        self,
        database: Database,
        clock_ms: Callable[[], int],
        log: IdentityLog,
        endings: Endings,
    ) -> None:
        self._database = database
        self._clock_ms = clock_ms
        self._log = log
        self._endings = endings
        self._checking = BoundedSemaphore(CHECKS_AT_ONCE_MAX)

    def has_one(self, idgrid: str) -> bool:
        """Whether a household can log in with a password."""
        return self._stored(idgrid) is not None

    def set(self, idgrid: str, password: str, *, current: str, key_fingerprint: str = "") -> None:
        """Give a household a password; an earlier one must be known. Sessions and tokens end.

        `key_fingerprint` is of the session's key: the password ends with it.
        """
        if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
            detail = f"{PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters"
            raise RequestRefused(
                Problem.INVALID, detail, errors=(FieldError("/body/password", detail),)
            )
        if self.has_one(idgrid):
            self.check(idgrid, current)
        with self._one_of_few():
            hashed = _hashed(password)
        values = {
            "idgrid": idgrid,
            "scrypt": hashed,
            "changed_ms": self._clock_ms(),
            "key_fingerprint": key_fingerprint,
        }
        with self._database.writing() as connection:
            connection.execute(delete(PasswordRow).where(PasswordRow.idgrid == idgrid))
            connection.execute(insert(PasswordRow), values)
            self._log.add(connection, actor=idgrid, action="password set", idgrid=idgrid)
            self._endings.of_others(connection, idgrid)

    def check(self, idgrid: str, password: str) -> None:
        """Refuse with LOGIN_FAILED or LOGIN_LOCKED unless this is the household's password."""
        name_hash = sha256(idgrid.upper().encode())
        self._count_try(name_hash, idgrid)
        stored = self._stored(idgrid.upper())
        with self._one_of_few():
            does_fit = _fits(password, stored or NO_PASSWORD)
        if not does_fit or stored is None:
            raise RequestRefused(Problem.LOGIN_FAILED, "IDgrid and password do not fit")
        with self._database.writing() as connection:
            connection.execute(
                delete(LoginFailureRow).where(LoginFailureRow.name_hash == name_hash)
            )

    @contextmanager
    def _one_of_few(self) -> Iterator[None]:
        """A check takes much memory and time on purpose; strangers must not make it many."""
        if not self._checking.acquire(timeout=CHECK_WAIT_S):
            raise RequestRefused(
                Problem.TOO_MANY_REQUESTS, "many sign in just now", headers={"Retry-After": "2"}
            )
        try:
            yield
        finally:
            self._checking.release()

    def _count_try(self, name_hash: bytes, idgrid: str) -> None:
        """Count before the password is looked at: tries side by side cannot outrun the lock."""
        now_ms = self._clock_ms()
        with self._database.writing() as connection:
            connection.execute(
                delete(LoginFailureRow).where(LoginFailureRow.last_ms < now_ms - FAILURES_KEPT_MS)
            )
            failures, locked_until_ms = _counted(connection, name_hash, now_ms)
            if failures > FAILURES_MAX and locked_until_ms <= now_ms:
                locked_until_ms = now_ms + LOCK_MS
                connection.execute(
                    update(LoginFailureRow)
                    .where(LoginFailureRow.name_hash == name_hash)
                    .values(failures=1, locked_until_ms=locked_until_ms)
                )
                self._log.add(connection, actor="", action="login locked", idgrid=idgrid[:32])
        if locked_until_ms > now_ms:
            wait_s = math.ceil((locked_until_ms - now_ms) / 1000)
            raise RequestRefused(
                Problem.LOGIN_LOCKED,
                "too many wrong passwords in a row",
                headers={"Retry-After": str(wait_s)},
            )

    def _stored(self, idgrid: str) -> str | None:
        """The hash; None without a password, or if the key that set it has ended."""
        wanted = select(PasswordRow.scrypt, PasswordRow.key_fingerprint)
        with self._database.reading() as connection:
            row = connection.execute(wanted.where(PasswordRow.idgrid == idgrid)).one_or_none()
        if row is None or self._endings.opens_no_more(idgrid, row.key_fingerprint):
            return None
        return str(row.scrypt)


def _counted(connection: Connection, name_hash: bytes, now_ms: int) -> tuple[int, int]:
    """(tries since the last success, locked until): one statement, so that no try is lost."""
    kinds: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    is_locked = LoginFailureRow.locked_until_ms > now_ms
    failures_then = case((is_locked, 1), else_=LoginFailureRow.failures + 1)
    statement = (
        kinds[connection.dialect.name](LoginFailureRow)
        .values(name_hash=name_hash, failures=1, last_ms=now_ms, locked_until_ms=0)
        .on_conflict_do_update(
            index_elements=["name_hash"],
            set_={"failures": failures_then, "last_ms": now_ms},
        )
        .returning(LoginFailureRow.failures, LoginFailureRow.locked_until_ms)
    )
    failures, locked_until_ms = connection.execute(statement).one()
    return failures, locked_until_ms


def _hashed(password: str) -> str:
    salt = secrets.token_bytes(SALT_BYTES)
    return f"{salt.hex()}:{_kdf(salt).derive(password.encode()).hex()}"


def _fits(password: str, stored: str) -> bool:
    salt, _, expected = stored.partition(":")
    try:
        _kdf(bytes.fromhex(salt)).verify(
            password[:PASSWORD_CHARACTERS_MAX].encode(), bytes.fromhex(expected)
        )
    except InvalidKey:
        return False
    return True


def _kdf(salt: bytes) -> Scrypt:
    return Scrypt(salt=salt, length=HASH_BYTES, n=SCRYPT_N, r=SCRYPT_R, p=SCRYPT_P)

"""Enrolment: a letter with a one-time code, a key made at home, the manager's approval.

1. The manager writes a letter for a registered IDgrid; its code works once and for a limited time.
2. The household opens the link, makes its key and sends a signing request with the code.
3. The manager compares the twelve letters the household's screen shows, enters the key on the
   ledger with its own key (`signers:enrol`, or `signers:recover` with its cool-down), approves.
4. The member's authority certifies the key, because the ledger names it; the household collects
   the certificate with the secret of step 2, and that opens its first session.

So neither this gateway nor the authority can make a key act for a household.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from gateway.books.community import Community
from gateway.database import Database
from gateway.errors import Problem, RequestRefused
from gateway.identity.ending import Endings
from gateway.identity.holders import STAFF
from gateway.identity.identity_log import IdentityLog
from gateway.identity.issuing import Certified
from gateway.identity.signing_requests import comparison_code, fingerprint_of_request
from gateway.identity.tables import KeyRequestRow, LetterRow
from gateway.ports import CertificateIssuer
from ledger.crypto.hashing import sha256

ENROL, RECOVER = "enrol", "recover"
PURPOSES = (ENROL, RECOVER)
CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
ASCII_LETTERS = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
CODE_LENGTH = 24
"""120 random bits."""
LETTER_LIFETIME_MS = 7 * 24 * 60 * 60 * 1000
SECRET_BYTES = 24
REQUEST_ID_BYTES = 12
WAITING_MAX = 500
LABEL_CHARACTERS_MAX = 60


@dataclass(frozen=True, slots=True)
class Letter:
    """What a letter's code stands for."""

    idgrid: str
    purpose: str
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was made; the secret collects its certificate."""

    request_id: str
    secret: str
    idgrid: str
    purpose: str
    comparison_code: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request as the manager sees it: without the letters that the household has to show."""

    request_id: str
    idgrid: str
    purpose: str
    fingerprint: str
    label: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class Collected:
    """How a request stands; the certificate once it is approved."""

    state: str
    idgrid: str
    certified: Certified | None


class Enrolment:
    """Letters, and the requests made with them."""

    def __init__(
        self,
        database: Database,
        clock_ms: Callable[[], int],
        log: IdentityLog,
        community: Community,
        issuer: CertificateIssuer,
        endings: Endings,
    ) -> None:
        self._database = database
        self._clock_ms = clock_ms
        self._log = log
        self._endings = endings
        self._community = community
        self._issuer = issuer

    def write_letter(self, idgrid: str, purpose: str, *, actor: str = STAFF) -> tuple[str, Letter]:
        """(code, letter) for a registered IDgrid; earlier letters for it no longer work."""
        participant = self._community.participant(idgrid)
        if participant is None:
            raise RequestRefused(Problem.NOT_FOUND, f"there is no participant {idgrid}")
        if participant.signers and purpose == ENROL:
            raise RequestRefused(
                Problem.CONFLICT,
                f"{idgrid} has keys; a lost one is recovered",
                extensions={"code": "ALREADY_ENROLLED"},
            )
        code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
        now_ms = self._clock_ms()
        letter = Letter(idgrid, purpose, now_ms + LETTER_LIFETIME_MS)
        values = {
            "code_hash": _code_hash(code),
            "idgrid": idgrid,
            "purpose": purpose,
            "created_ms": now_ms,
            "expires_ms": letter.expires_ms,
        }
        with self._database.writing() as connection:
            connection.execute(
                delete(LetterRow).where(LetterRow.idgrid == idgrid, LetterRow.used_ms.is_(None))
            )
            connection.execute(insert(LetterRow), values)
            self._log.add(
                connection, actor=actor, action="letter written", idgrid=idgrid, detail=purpose
            )
        return code, letter

    def open_letter(self, code: str) -> Letter:
        """What a code is for, without using it up; LETTER_INVALID whatever is wrong with it."""
        with self._database.reading() as connection:
            return self._letter(connection, code)

    def ask(self, code: str, request_pem: str, label: str) -> Asked:
        """Use a letter up: the key in a signing request waits for the manager."""
        fingerprint = fingerprint_of_request(request_pem)
        with self._database.writing() as connection:
            letter = self._letter(connection, code)
            now_ms = self._clock_ms()
            used = update(LetterRow).where(
                LetterRow.code_hash == _code_hash(code), LetterRow.used_ms.is_(None)
            )
            if connection.execute(used.values(used_ms=now_ms)).rowcount != 1:
                raise _invalid_letter()
            secret, request_id = new_request(
                connection,
                idgrid=letter.idgrid,
                purpose=letter.purpose,
                fingerprint=fingerprint,
                request_pem=request_pem,
                label=label,
                now_ms=now_ms,
            )
            self._log.add(
                connection,
                actor="",
                action="key requested",
                idgrid=letter.idgrid,
                detail=f"{letter.purpose} {fingerprint}",
            )
        return Asked(
            request_id, secret, letter.idgrid, letter.purpose, comparison_code(fingerprint)
        )

    def waiting(self) -> list[Waiting]:
        """Requests that wait for the manager, the oldest first."""
        columns = [getattr(KeyRequestRow, name) for name in Waiting.__slots__]
        wanted = (
            select(*columns)
            .where(KeyRequestRow.state == "waiting", KeyRequestRow.purpose.in_(PURPOSES))
            .order_by(KeyRequestRow.created_ms)
            .limit(WAITING_MAX)
        )
        with self._database.reading() as connection:
            return [Waiting(*row) for row in connection.execute(wanted)]

    def compare(self, request_id: str, compared: str) -> bool:
        """Whether the ledger names the key already; refuses other letters than the key's."""
        row = self._waiting_row(request_id)
        expected = comparison_code(row.fingerprint)
        if not secrets.compare_digest(_letters_of(compared), _letters_of(expected)):
            raise RequestRefused(
                Problem.FORBIDDEN,
                "these are not the letters of the key that waits",
                extensions={"code": "WRONG_COMPARISON_CODE"},
            )
        participant = self._community.participant(row.idgrid)
        return participant is not None and participant.signer(row.fingerprint) is not None

    def approve(self, request_id: str, compared: str, *, actor: str = STAFF) -> None:
        """The manager has compared the letters and entered the key on the ledger.

        After a recovery nothing that was there before opens the household's data.
        """
        self.compare(request_id, compared)
        row = self._waiting_row(request_id)
        certified = certify(self._community, self._issuer, row.idgrid, row.request_pem)
        self._decide(row, "approved", certified.certificate_pem, actor)

    def refuse(self, request_id: str, *, actor: str = STAFF) -> None:
        """The manager does not know this household, or the letters differ."""
        self._decide(self._waiting_row(request_id), "refused", "", actor)

    def collect(self, request_id: str, secret: str) -> Collected:
        """How a request stands, for who made it; NOT_FOUND for everybody else."""
        row = self._row(request_id)
        if row is None or not secrets.compare_digest(row.secret_hash, sha256(secret.encode())):
            raise RequestRefused(Problem.NOT_FOUND, "there is no such request")
        if not row.certificate_pem:
            return Collected(row.state, row.idgrid, None)
        participant = self._community.participant(row.idgrid)
        mspid = participant.mspid if participant else ""
        return Collected(row.state, row.idgrid, Certified(mspid, row.certificate_pem))

    def finish(self, request_id: str, secret: str) -> tuple[str, str]:
        """The certificate has arrived: IDgrid and key of the session that may open, once."""
        collected = self.collect(request_id, secret)
        done = update(KeyRequestRow).where(
            KeyRequestRow.request_id == request_id, KeyRequestRow.state == "approved"
        )
        done = done.values(state="collected").returning(KeyRequestRow.fingerprint)
        with self._database.writing() as connection:
            fingerprint = connection.execute(done).scalar_one_or_none()
            if fingerprint is None:
                raise RequestRefused(Problem.CONFLICT, f"the request is {collected.state}")
            self._log.add(
                connection,
                actor=collected.idgrid,
                action="certificate collected",
                idgrid=collected.idgrid,
            )
        return collected.idgrid, fingerprint

    def _letter(self, connection: Connection, code: str) -> Letter:
        wanted = select(LetterRow.__table__).where(LetterRow.code_hash == _code_hash(code))
        row = connection.execute(wanted).one_or_none()
        if row is None or row.used_ms is not None or row.expires_ms <= self._clock_ms():
            raise _invalid_letter()
        return Letter(row.idgrid, row.purpose, row.expires_ms)

    def _row(self, request_id: str) -> "KeyRequestRow | None":
        wanted = select(KeyRequestRow.__table__).where(KeyRequestRow.request_id == request_id)
        with self._database.reading() as connection:
            row = connection.execute(wanted).mappings().one_or_none()
            return KeyRequestRow(**row) if row is not None else None

    def _waiting_row(self, request_id: str) -> KeyRequestRow:
        row = self._row(request_id)
        if row is None or row.purpose not in PURPOSES:
            raise RequestRefused(Problem.NOT_FOUND, "there is no such request")
        if row.state != "waiting":
            raise RequestRefused(Problem.CONFLICT, f"the request is {row.state}")
        return row

    def _decide(self, row: KeyRequestRow, state: str, certificate_pem: str, actor: str) -> None:
        decided = update(KeyRequestRow).where(
            KeyRequestRow.request_id == row.request_id, KeyRequestRow.state == "waiting"
        )
        values = {
            "state": state,
            "certificate_pem": certificate_pem,
            "decided_ms": self._clock_ms(),
        }
        with self._database.writing() as connection:
            if connection.execute(decided.values(**values)).rowcount != 1:
                raise RequestRefused(Problem.CONFLICT, "somebody else has decided already")
            detail = f"{row.purpose} {row.fingerprint}"
            self._log.add(
                connection, actor=actor, action=f"key {state}", idgrid=row.idgrid, detail=detail
            )
            if state == "approved" and row.purpose == RECOVER:
                self._endings.of_everything(connection, row.idgrid, actor=actor)


def new_request(
    connection: Connection,
    *,
    idgrid: str,
    purpose: str,
    fingerprint: str,
    request_pem: str,
    label: str,
    now_ms: int,
) -> tuple[str, str]:
    """(secret, id) of a new waiting request; refuses more than `WAITING_MAX` of one kind."""
    waiting = select(func.count()).select_from(KeyRequestRow)
    waiting = waiting.where(KeyRequestRow.state == "waiting", KeyRequestRow.purpose == purpose)
    if connection.execute(waiting).scalar_one() >= WAITING_MAX:
        raise RequestRefused(Problem.TOO_MANY_REQUESTS, "too many requests wait already")
    secret, request_id = secrets.token_urlsafe(SECRET_BYTES), secrets.token_hex(REQUEST_ID_BYTES)
    values = {
        "request_id": request_id,
        "idgrid": idgrid,
        "purpose": purpose,
        "fingerprint": fingerprint,
        "request_pem": request_pem,
        "label": label[:LABEL_CHARACTERS_MAX],
        "state": "waiting",
        "secret_hash": sha256(secret.encode()),
        "certificate_pem": "",
        "created_ms": now_ms,
    }
    connection.execute(insert(KeyRequestRow), values)
    return secret, request_id


def certify(
    community: Community, issuer: CertificateIssuer, idgrid: str, request_pem: str
) -> Certified:
    """A certificate for a key that the ledger names for this IDgrid; refuses any other key."""
    fingerprint = fingerprint_of_request(request_pem)
    participant = community.participant(idgrid)
    named = participant.signer(fingerprint) if participant is not None else None
    if participant is None or named is None:
        raise RequestRefused(
            Problem.CONFLICT,
            "the ledger does not name this key for the household",
            extensions={"code": "KEY_NOT_NAMED", "fingerprint": fingerprint},
        )
    return issuer.certify(idgrid=idgrid, role=participant.role, request_pem=request_pem)


def _invalid_letter() -> RequestRefused:
    return RequestRefused(
        Problem.LETTER_INVALID, "a code works once and for a limited time; ask for a new letter"
    )


def _code_hash(code: str) -> bytes:
    return sha256(_letters_of(code).encode())


def _letters_of(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter in ASCII_LETTERS)

"""Tables of the gateway's own, migrated by the branch `shared`."""

from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import Base


class AnsweredRow(Base):
    """A request with an Idempotency-Key; `status` is empty while it is being answered."""

    __tablename__ = "shared_answered"

    key_digest: Mapped[bytes] = mapped_column(primary_key=True)
    """Of who asked and the key: nobody gets another's answer."""
    request_digest: Mapped[bytes]
    begun_ms: Mapped[int] = mapped_column(index=True)
    status: Mapped[int | None]
    headers: Mapped[str]
    """JSON: pairs of names and values."""
    body: Mapped[bytes]


class SubmissionRow(Base):
    """A transaction that this gateway or a replica handed to ordering."""

    __tablename__ = "shared_submissions"

    tx_id: Mapped[str] = mapped_column(primary_key=True)
    submitted_ms: Mapped[int] = mapped_column(index=True)


class TryRow(Base):
    """Wrong secrets of an address in a window of time, by the address's SHA-256."""

    __tablename__ = "shared_tries"

    who_hash: Mapped[bytes] = mapped_column(primary_key=True)
    begun_ms: Mapped[int] = mapped_column(index=True)
    tries: Mapped[int]


class ApiTokenRow(Base):
    """A script's token, by the SHA-256 of its text."""

    __tablename__ = "shared_api_tokens"

    token_id: Mapped[str] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    label: Mapped[str]
    role: Mapped[str]
    idgrid: Mapped[str] = mapped_column(index=True)
    scopes: Mapped[str]
    created_ms: Mapped[int]
    expires_ms: Mapped[int]
    key_fingerprint: Mapped[str] = mapped_column(default="", index=True)
    """Of the session in which it was made."""

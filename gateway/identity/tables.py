"""Tables of people, to be backed up. No private key is in them, nothing secret in clear."""

from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import Base

LINK, SESSION = "link", "session"


class SessionRow(Base):
    """A session, or a login link that becomes one, by the SHA-256 of its token."""

    __tablename__ = "identity_sessions"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """`session` or `link`."""
    idgrid: Mapped[str] = mapped_column(index=True)
    is_manager: Mapped[bool]
    expires_ms: Mapped[int] = mapped_column(index=True)
    used_ms: Mapped[int | None]
    """Of a link: when it became a session."""
    key_fingerprint: Mapped[str] = mapped_column(default="", index=True)
    """The household's key of the browser that has the session, if that is known."""
    way: Mapped[str] = mapped_column(default="")
    """How it was opened (`gateway.identity.sessions.Way`)."""
    passkey_id: Mapped[str] = mapped_column(default="")
    """Of the passkey that opened it; it ends with that."""


class LetterRow(Base):
    """A one-time letter, by the SHA-256 of its code."""

    __tablename__ = "identity_letters"

    code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    idgrid: Mapped[str] = mapped_column(index=True)
    purpose: Mapped[str]
    """`enrol` or `recover`."""
    created_ms: Mapped[int]
    expires_ms: Mapped[int]
    used_ms: Mapped[int | None]


class KeyRequestRow(Base):
    """A key that waits to be named on the ledger, and its certificate once it is."""

    __tablename__ = "identity_key_requests"

    request_id: Mapped[str] = mapped_column(primary_key=True)
    idgrid: Mapped[str] = mapped_column(index=True)
    purpose: Mapped[str]
    """`enrol` and `recover` wait for the manager, `device` for another device."""
    fingerprint: Mapped[str] = mapped_column(index=True)
    request_pem: Mapped[str]
    label: Mapped[str]
    """What the household calls the device; personal, so it is never on the ledger."""
    state: Mapped[str]
    """`waiting`, `approved`, `refused` or `collected`."""
    secret_hash: Mapped[bytes]
    certificate_pem: Mapped[str]
    created_ms: Mapped[int]
    decided_ms: Mapped[int | None]


class PasswordRow(Base):
    """Salted scrypt of a household's password."""

    __tablename__ = "identity_passwords"

    idgrid: Mapped[str] = mapped_column(primary_key=True)
    scrypt: Mapped[str]
    changed_ms: Mapped[int]
    key_fingerprint: Mapped[str] = mapped_column(default="")
    """Of the session in which it was set."""


class LoginFailureRow(Base):
    """Wrong passwords in a row under a name, registered or not, by the name's SHA-256."""

    __tablename__ = "identity_login_failures"

    name_hash: Mapped[bytes] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_ms: Mapped[int] = mapped_column(index=True)
    locked_until_ms: Mapped[int]


class PasskeyRow(Base):
    """A passkey's public key."""

    __tablename__ = "identity_passkeys"

    credential_id: Mapped[bytes] = mapped_column(primary_key=True)
    idgrid: Mapped[str] = mapped_column(index=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int]
    label: Mapped[str]
    created_ms: Mapped[int]
    key_fingerprint: Mapped[str] = mapped_column(default="", index=True)
    """Of the session in which it was made."""


class ChallengeRow(Base):
    """A challenge that a passkey or a key is to answer, once, by the SHA-256 of its bytes."""

    __tablename__ = "identity_challenges"

    challenge_hash: Mapped[bytes] = mapped_column(primary_key=True)
    idgrid: Mapped[str]
    """Whose passkey is being made; empty for a login, `key login` for one with a key."""
    expires_ms: Mapped[int] = mapped_column(index=True)


class IdentityLogRow(Base):
    """Who did what about whom; entries are never changed. Ids sort by time."""

    __tablename__ = "identity_log"

    entry_id: Mapped[str] = mapped_column(primary_key=True)
    time_ms: Mapped[int]
    actor: Mapped[str]
    """An IDgrid, `manager` (`: ` and the name of its session), or empty for who has none."""
    action: Mapped[str]
    idgrid: Mapped[str] = mapped_column(index=True)
    detail: Mapped[str]

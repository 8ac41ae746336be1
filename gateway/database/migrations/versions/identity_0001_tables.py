"""The tables of people: sessions, letters, requests for keys, passwords, passkeys, log."""

import sqlalchemy as sa
from alembic import op

revision = "identity_0001"
down_revision = None
branch_labels = ("identity",)
depends_on = None

INDEXED = {
    "identity_sessions": ("idgrid", "expires_ms"),
    "identity_letters": ("idgrid",),
    "identity_key_requests": ("idgrid", "fingerprint"),
    "identity_login_failures": ("last_ms",),
    "identity_passkeys": ("idgrid",),
    "identity_challenges": ("expires_ms",),
    "identity_log": ("idgrid",),
}
TABLES = (*INDEXED, "identity_passwords")


def upgrade() -> None:
    """Make them."""
    _sessions()
    _requests()
    _credentials()
    _log()
    for table, columns in INDEXED.items():
        for column in columns:
            op.create_index(f"ix_{table}_{column}", table, [column])


def downgrade() -> None:
    """Drop them: everybody has to enrol again."""
    for table in TABLES:
        op.drop_table(table)


def _sessions() -> None:
    op.create_table(
        "identity_sessions",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("is_manager", sa.Boolean(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("token_hash", name="pk_identity_sessions"),
    )


def _requests() -> None:
    op.create_table(
        "identity_letters",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("code_hash", name="pk_identity_letters"),
    )
    op.create_table(
        "identity_key_requests",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("request_pem", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("certificate_pem", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("request_id", name="pk_identity_key_requests"),
    )


def _credentials() -> None:
    op.create_table(
        "identity_passwords",
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("scrypt", sa.Text(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("idgrid", name="pk_identity_passwords"),
    )
    op.create_table(
        "identity_login_failures",
        sa.Column("name_hash", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("locked_until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name_hash", name="pk_identity_login_failures"),
    )
    op.create_table(
        "identity_passkeys",
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("credential_id", name="pk_identity_passkeys"),
    )
    op.create_table(
        "identity_challenges",
        sa.Column("challenge_hash", sa.LargeBinary(), nullable=False),
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("challenge_hash", name="pk_identity_challenges"),
    )


def _log() -> None:
    op.create_table(
        "identity_log",
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name="pk_identity_log"),
    )

"""Requests answered, transactions on their way, tokens of scripts."""

import sqlalchemy as sa
from alembic import op

revision = "shared_0001"
down_revision = None
branch_labels = ("shared",)
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "shared_answered",
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("begun_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.BigInteger()),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key_digest", name="pk_shared_answered"),
    )
    op.create_index("ix_shared_answered_begun_ms", "shared_answered", ["begun_ms"])
    op.create_table(
        "shared_submissions",
        sa.Column("tx_id", sa.Text(), nullable=False),
        sa.Column("submitted_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tx_id", name="pk_shared_submissions"),
    )
    op.create_index("ix_shared_submissions_submitted_ms", "shared_submissions", ["submitted_ms"])
    op.create_table(
        "shared_api_tokens",
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_id", name="pk_shared_api_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_shared_api_tokens_token_hash"),
    )
    op.create_index("ix_shared_api_tokens_idgrid", "shared_api_tokens", ["idgrid"])


def downgrade() -> None:
    """Drop them."""
    for table in ("shared_api_tokens", "shared_submissions", "shared_answered"):
        op.drop_table(table)

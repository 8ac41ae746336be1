"""Inboxes, the outbox, what households chose, and how far notices are."""

import sqlalchemy as sa
from alembic import op

revision = "notices_0001"
down_revision = None
branch_labels = ("notices",)
depends_on = None


def _notice_columns() -> list[sa.Column[object]]:
    """What a notice is, in the inbox and in the outbox."""
    return [
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("tx_index", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
    ]


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "notices_progress",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("tx_index", sa.BigInteger(), nullable=False),
        sa.Column("alarm_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notices_progress"),
    )
    key = ("idgrid", "block_number", "tx_index", "kind")
    op.create_table(
        "notices_inbox",
        *_notice_columns(),
        sa.PrimaryKeyConstraint(*key, name="pk_notices_inbox"),
    )
    op.create_index("ix_notices_inbox_created_ms", "notices_inbox", ["created_ms"])
    op.create_table(
        "notices_outbox",
        sa.Column("channel", sa.Text(), nullable=False),
        *_notice_columns(),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", *key, name="pk_notices_outbox"),
    )
    op.create_index("ix_notices_outbox_created_ms", "notices_outbox", ["created_ms"])
    op.create_index("ix_notices_outbox_due_ms", "notices_outbox", ["due_ms"])
    op.create_table(
        "notices_choices",
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("is_wanted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("idgrid", "kind", "channel", name="pk_notices_choices"),
    )
    op.create_table(
        "notices_languages",
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("idgrid", name="pk_notices_languages"),
    )


def downgrade() -> None:
    """Drop them."""
    for area in ("languages", "choices", "outbox", "inbox", "progress"):
        op.drop_table(f"notices_{area}")

"""Recoveries whose new key does not act yet; their end is told when it does."""

import sqlalchemy as sa
from alembic import op

revision = "notices_0006"
down_revision = "notices_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "notices_recoveries",
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("key_fingerprint", sa.Text(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("tx_index", sa.BigInteger(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("idgrid", "key_fingerprint", name="pk_notices_recoveries"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("notices_recoveries")

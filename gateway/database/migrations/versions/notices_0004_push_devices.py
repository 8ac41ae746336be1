"""Browsers that are told of notices."""

import sqlalchemy as sa
from alembic import op

revision = "notices_0004"
down_revision = "notices_0003"
branch_labels = None
depends_on = None

TABLE = "notices_push_devices"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        TABLE,
        sa.Column("push_id", sa.Text(), nullable=False),
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("auth", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("push_id", name=f"pk_{TABLE}"),
    )
    op.create_index(f"ix_{TABLE}_idgrid", TABLE, ["idgrid"])


def downgrade() -> None:
    """Drop it, and what waits for a browser."""
    op.execute("DELETE FROM notices_outbox WHERE channel = 'push'")
    op.drop_table(TABLE)

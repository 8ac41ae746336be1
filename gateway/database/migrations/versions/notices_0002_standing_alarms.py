"""Alarms told as raised whose end is still to be told."""

import sqlalchemy as sa
from alembic import op

revision = "notices_0002"
down_revision = "notices_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "notices_standing_alarms",
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("number", name="pk_notices_standing_alarms"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("notices_standing_alarms")

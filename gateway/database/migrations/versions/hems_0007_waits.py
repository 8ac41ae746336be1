"""Since when the gateway waits to hear something, restarts notwithstanding."""

import sqlalchemy as sa
from alembic import op

revision = "hems_0007"
down_revision = "hems_0006"
branch_labels = None
depends_on = None

TABLE = "hems_waits"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        TABLE,
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("noted_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=f"pk_{TABLE}"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table(TABLE)

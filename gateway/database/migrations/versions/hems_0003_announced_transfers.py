"""When a transfer was announced to boards that hear no commands."""

import sqlalchemy as sa
from alembic import op

revision = "hems_0003"
down_revision = "hems_0002"
branch_labels = None
depends_on = None

TABLE = "hems_transfers"
COLUMN = "announced_ms"


def upgrade() -> None:
    """Add the column, and the index of numbers that what is heard is looked up by."""
    op.add_column(TABLE, sa.Column(COLUMN, sa.BigInteger(), nullable=True))
    op.create_index("ix_hems_transfers_number", TABLE, ["number"])


def downgrade() -> None:
    """Drop both."""
    op.drop_index("ix_hems_transfers_number", TABLE)
    op.drop_column(TABLE, COLUMN)

"""Which of the household"s keys opened or made it, so that it ends with the key."""

import sqlalchemy as sa
from alembic import op

revision = "shared_0002"
down_revision = "shared_0001"
branch_labels = None
depends_on = None

TABLES = ("shared_api_tokens",)
COLUMN = "key_fingerprint"


def upgrade() -> None:
    """Add the column; of what is there already nobody knows it."""
    for table in TABLES:
        op.add_column(table, sa.Column(COLUMN, sa.Text(), nullable=False, server_default=""))
        op.create_index(f"ix_{table}_{COLUMN}", table, [COLUMN])


def downgrade() -> None:
    """Take it away."""
    for table in TABLES:
        op.drop_index(f"ix_{table}_{COLUMN}", table)
        op.drop_column(table, COLUMN)

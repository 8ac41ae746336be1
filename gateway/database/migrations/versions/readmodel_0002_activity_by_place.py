"""Whom a transaction concerns is asked by its place; without an index each block read them all."""

from alembic import op

revision = "readmodel_0002"
down_revision = "readmodel_0001"
branch_labels = None
depends_on = None

INDEX = "ix_activity_place"


def upgrade() -> None:
    """Make it; what is there is indexed."""
    op.create_index(INDEX, "activity", ["block_number", "tx_index"])


def downgrade() -> None:
    """Drop it."""
    op.drop_index(INDEX, table_name="activity")

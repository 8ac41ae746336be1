"""Wrong secrets by address, for all gateways of the database."""

import sqlalchemy as sa
from alembic import op

revision = "shared_0003"
down_revision = "shared_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "shared_tries",
        sa.Column("who_hash", sa.LargeBinary(), nullable=False),
        sa.Column("begun_ms", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("who_hash", name="pk_shared_tries"),
    )
    op.create_index("ix_shared_tries_begun_ms", "shared_tries", ["begun_ms"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("shared_tries")

"""Devices' links to the broker: sign-ins, failed logins, age of credentials."""

import sqlalchemy as sa
from alembic import op

revision = "hems_0002"
down_revision = "hems_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "hems_links",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("is_device", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("connected_ms", sa.BigInteger(), nullable=False),
        sa.Column("failed_logins", sa.BigInteger(), nullable=False),
        sa.Column("failed_ms", sa.BigInteger(), nullable=False),
        sa.Column("credential_ms", sa.BigInteger(), nullable=False),
        sa.Column("checked_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_hems_links"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("hems_links")

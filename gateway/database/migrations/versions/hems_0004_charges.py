"""How full batteries were, for charts."""

import sqlalchemy as sa
from alembic import op

revision = "hems_0004"
down_revision = "hems_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "hems_charges",
        sa.Column("battery_id", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("stored_wh", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("battery_id", "at_ms", name="pk_hems_charges"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("hems_charges")

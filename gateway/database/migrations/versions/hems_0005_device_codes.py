"""Enrolment codes of devices, and the keys that were proved with them."""

import sqlalchemy as sa
from alembic import op

revision = "hems_0005"
down_revision = "hems_0004"
branch_labels = None
depends_on = None

TABLE = "hems_device_codes"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        TABLE,
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("owner_idgrid", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", name="pk_hems_device_codes"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table(TABLE)

"""What a device says it dropped, and how strong its radio signal is."""

import sqlalchemy as sa
from alembic import op

revision = "hems_0006"
down_revision = "hems_0005"
branch_labels = None
depends_on = None

TABLE = "hems_devices"
COLUMNS = ("dropped", "signal_dbm")


def upgrade() -> None:
    """Add the columns; None: the device does not tell."""
    for name in COLUMNS:
        op.add_column(TABLE, sa.Column(name, sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    for name in COLUMNS:
        op.drop_column(TABLE, name)

"""Which key opened the session that named a webhook or a browser: it ends with that key."""

import sqlalchemy as sa
from alembic import op

revision = "notices_0005"
down_revision = "notices_0004"
branch_labels = None
depends_on = None

TABLES = ("notices_webhooks", "notices_push_devices")


def upgrade() -> None:
    """What is there was named by nobody's key."""
    for table in TABLES:
        column = sa.Column("key_fingerprint", sa.Text(), nullable=False, server_default="")
        op.add_column(table, column)


def downgrade() -> None:
    """Drop the columns."""
    for table in TABLES:
        with op.batch_alter_table(table) as changed:
            changed.drop_column("key_fingerprint")

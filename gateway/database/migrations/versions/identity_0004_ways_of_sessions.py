"""How a session was opened, and with which passkey, so that it ends with that."""

import sqlalchemy as sa
from alembic import op

revision = "identity_0004"
down_revision = "identity_0003"
branch_labels = None
depends_on = None
COLUMNS = ("way", "passkey_id")


def upgrade() -> None:
    """Add the columns; of sessions that are open already nobody knows them."""
    for name in COLUMNS:
        column = sa.Column(name, sa.Text(), nullable=False, server_default="")
        op.add_column("identity_sessions", column)


def downgrade() -> None:
    """Take them away."""
    for name in COLUMNS:
        op.drop_column("identity_sessions", name)

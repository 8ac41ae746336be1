"""Which of the household's keys set its password, so that it ends with the key."""

import sqlalchemy as sa
from alembic import op

revision = "identity_0003"
down_revision = "identity_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of what is there already nobody knows it."""
    column = sa.Column("key_fingerprint", sa.Text(), nullable=False, server_default="")
    op.add_column("identity_passwords", column)


def downgrade() -> None:
    """Take it away."""
    op.drop_column("identity_passwords", "key_fingerprint")

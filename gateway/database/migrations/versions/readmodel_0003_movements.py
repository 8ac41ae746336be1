"""Money that moved, purse by purse; the projection's new version fills the table."""

import sqlalchemy as sa
from alembic import op

revision = "readmodel_0003"
down_revision = "readmodel_0002"
branch_labels = None
depends_on = None

TABLE, INDEX = "movements", "ix_movements_time"
TEXTS = ("tx_id", "cause", "subject")
AMOUNTS = ("free_utoken", "locked_utoken", "sold_wh", "bought_wh")


def upgrade() -> None:
    """Make it."""
    op.create_table(
        TABLE,
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("tx_index", sa.BigInteger(), nullable=False),
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in TEXTS),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in AMOUNTS),
        sa.PrimaryKeyConstraint(
            "idgrid", "block_number", "tx_index", "group_id", name="pk_movements"
        ),
    )
    op.create_index(INDEX, TABLE, ["idgrid", "group_id", "at_ms"])


def downgrade() -> None:
    """Drop it: a rebuild fills it again."""
    op.drop_index(INDEX, table_name=TABLE)
    op.drop_table(TABLE)

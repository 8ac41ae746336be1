"""A household's orders by delivery hour, and its invalid transactions: each page asks for them."""

import sqlalchemy as sa
from alembic import op

revision = "readmodel_0004"
down_revision = "readmodel_0003"
branch_labels = None
depends_on = None

LISTINGS, INVALID = "ix_orders_listing", "ix_transactions_invalid"
IS_INVALID = sa.text("code <> 0")


def upgrade() -> None:
    """Make them; what is there is indexed."""
    op.create_index(LISTINGS, "orders", ["idgrid", "listing_id"])
    op.create_index(
        INVALID,
        "transactions",
        ["creator", "block_number", "tx_index"],
        sqlite_where=IS_INVALID,
        postgresql_where=IS_INVALID,
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index(INVALID, table_name="transactions")
    op.drop_index(LISTINGS, table_name="orders")

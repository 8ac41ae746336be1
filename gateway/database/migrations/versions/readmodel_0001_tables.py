"""The first tables of the read model."""

import sqlalchemy as sa
from alembic import op

revision = "readmodel_0001"
down_revision = None
branch_labels = ("readmodel",)
depends_on = None

TABLES = (
    "readmodel_progress",
    "blocks",
    "block_bytes",
    "identities",
    "world_state",
    "transactions",
    "activity",
    "listings",
    "orders",
    "settlements",
)


def upgrade() -> None:
    """Make them."""
    _ledger()
    _state()
    _transactions()
    _market()
    op.execute("INSERT INTO readmodel_progress VALUES (1, 0, 0)")


def downgrade() -> None:
    """Drop them: a rebuild fills them again."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _ledger() -> None:
    op.create_table(
        "readmodel_progress",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("projection_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_readmodel_progress"),
    )
    op.create_table(
        "blocks",
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("data_hash", sa.LargeBinary(), nullable=False),
        sa.Column("commit_hash", sa.LargeBinary(), nullable=False),
        sa.Column("signers", sa.Text(), nullable=False),
        sa.Column("transaction_count", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.BigInteger()),
        sa.Column("proposer", sa.BigInteger()),
        sa.Column("block_time_ms", sa.BigInteger()),
        sa.Column("transactions_root", sa.LargeBinary()),
        sa.Column("validator_set_hash", sa.LargeBinary()),
        sa.Column("previous_commit_hash", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("number", name="pk_blocks"),
    )
    op.create_index("ix_blocks_hash", "blocks", ["hash"])
    op.create_table(
        "block_bytes",
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_block_bytes"),
    )


def _state() -> None:
    op.create_table(
        "identities",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("serialized", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_identities"),
    )
    op.create_table(
        "world_state",
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("tx_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "key", name="pk_world_state"),
    )


def _transactions() -> None:
    op.create_table(
        "transactions",
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("tx_index", sa.BigInteger(), nullable=False),
        sa.Column("tx_id", sa.Text(), nullable=False),
        sa.Column("code", sa.BigInteger(), nullable=False),
        sa.Column("header_type", sa.BigInteger(), nullable=False),
        sa.Column("chaincode", sa.Text(), nullable=False),
        sa.Column("function", sa.Text(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("creator", sa.LargeBinary(), nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column("event_name", sa.Text(), nullable=False),
        sa.Column("event_payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "tx_index", name="pk_transactions"),
    )
    op.create_index(
        "ix_transactions_event", "transactions", ["event_name", "block_number", "tx_index"]
    )
    op.create_index(
        "ix_transactions_function", "transactions", ["function", "block_number", "tx_index"]
    )
    op.create_index(
        "ix_transactions_member", "transactions", ["member", "block_number", "tx_index"]
    )
    op.create_index("ix_transactions_tx_id", "transactions", ["tx_id"])
    op.create_table(
        "activity",
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("tx_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("idgrid", "block_number", "tx_index", name="pk_activity"),
    )


def _market() -> None:
    op.create_table(
        "listings",
        sa.Column("listing_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opens_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("gate_closure_ms", sa.BigInteger(), nullable=False),
        sa.Column("delivery_start_ms", sa.BigInteger(), nullable=False),
        sa.Column("delivery_end_ms", sa.BigInteger(), nullable=False),
        sa.Column("price_utoken_per_kwh", sa.BigInteger()),
        sa.Column("matched_wh", sa.BigInteger()),
        sa.PrimaryKeyConstraint("listing_id", name="pk_listings"),
    )
    op.create_index("ix_listings_delivery_start_ms", "listings", ["delivery_start_ms"])
    op.create_index("ix_listings_state", "listings", ["state", "gate_closure_ms"])
    op.create_table(
        "orders",
        sa.Column("listing_id", sa.Text(), nullable=False),
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("energy_wh", sa.BigInteger(), nullable=False),
        sa.Column("price_utoken_per_kwh", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("tx_index", sa.BigInteger(), nullable=False),
        sa.Column("cancelled_block_number", sa.BigInteger()),
        sa.Column("cancelled_tx_index", sa.BigInteger()),
        sa.PrimaryKeyConstraint("listing_id", "idgrid", "order_id", name="pk_orders"),
    )
    op.create_index("ix_orders_idgrid", "orders", ["idgrid", "block_number", "tx_index"])
    op.create_table(
        "settlements",
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("listing_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("sold_wh", sa.BigInteger(), nullable=False),
        sa.Column("bought_wh", sa.BigInteger(), nullable=False),
        sa.Column("received_utoken", sa.BigInteger(), nullable=False),
        sa.Column("paid_utoken", sa.BigInteger(), nullable=False),
        sa.Column("refunded_utoken", sa.BigInteger(), nullable=False),
        sa.Column("network_charge_utoken", sa.BigInteger(), nullable=False),
        sa.Column("pool_share_utoken", sa.BigInteger(), nullable=False),
        sa.Column("owed_to_utility_utoken", sa.BigInteger(), nullable=False),
        sa.Column("owed_by_utility_utoken", sa.BigInteger(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("tx_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("idgrid", "listing_id", "revision", name="pk_settlements"),
    )
    op.create_index("ix_settlements_listing", "settlements", ["listing_id"])

"""Webhooks, and which of a household's addresses an item of the outbox goes to."""

import sqlalchemy as sa
from alembic import op

revision = "notices_0003"
down_revision = "notices_0002"
branch_labels = None
depends_on = None

OUTBOX, KEY = "notices_outbox", "pk_notices_outbox"
NOTICE = ["idgrid", "block_number", "tx_index", "kind"]


def upgrade() -> None:
    """Mails have no target of their own."""
    op.create_table(
        "notices_webhooks",
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("idgrid", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("webhook_id", name="pk_notices_webhooks"),
    )
    op.create_index("ix_notices_webhooks_idgrid", "notices_webhooks", ["idgrid"])
    with op.batch_alter_table(OUTBOX) as outbox:
        outbox.add_column(sa.Column("target", sa.Text(), nullable=False, server_default=""))
        outbox.drop_constraint(KEY, type_="primary")
        outbox.create_primary_key(KEY, ["channel", "target", *NOTICE])


def downgrade() -> None:
    """Drop them, and what waits for a webhook."""
    op.execute(f"DELETE FROM {OUTBOX} WHERE target != ''")  # noqa: S608 - names of ours
    with op.batch_alter_table(OUTBOX) as outbox:
        outbox.drop_constraint(KEY, type_="primary")
        outbox.create_primary_key(KEY, ["channel", *NOTICE])
        outbox.drop_column("target")
    op.drop_table("notices_webhooks")

"""The first tables of the home energy data service."""

import sqlalchemy as sa
from alembic import op

revision = "hems_0001"
down_revision = None
branch_labels = ("hems",)
depends_on = None

TABLES = (
    "hems_readings",
    "hems_measurements",
    "hems_set_aside",
    "hems_devices",
    "hems_alarms",
    "hems_anchors",
    "hems_transfers",
    "hems_commands",
    "hems_energy_events",
    "hems_mirror",
)


def upgrade() -> None:
    """Make them."""
    _readings()
    _measurements()
    _set_aside()
    _devices()
    _alarms()
    _anchors()
    _transfers()
    _commands()
    _energy_events()
    _mirror()


def downgrade() -> None:
    """Drop them, with what is in them: back up first."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _readings() -> None:
    op.create_table(
        "hems_readings",
        sa.Column("row", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("meter_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("t_end_ms", sa.BigInteger(), nullable=False),
        sa.Column("import_wh", sa.BigInteger(), nullable=False),
        sa.Column("export_wh", sa.BigInteger(), nullable=False),
        sa.Column("quality", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("is_late", sa.BigInteger(), nullable=False),
        sa.Column("copies", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name="pk_hems_readings"),
        sa.UniqueConstraint("meter_id", "seq", name="uq_hems_readings_meter_id"),
    )
    op.create_index("ix_hems_readings_time", "hems_readings", ["meter_id", "t_end_ms"])


def _measurements() -> None:
    op.create_table(
        "hems_measurements",
        sa.Column("row", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("t_ms", sa.BigInteger(), nullable=False),
        sa.Column("u_mv", sa.BigInteger()),
        sa.Column("i_ma", sa.BigInteger()),
        sa.Column("p_mw", sa.BigInteger()),
        sa.Column("soc_permille", sa.BigInteger()),
        sa.Column("energy_wh", sa.BigInteger()),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name="pk_hems_measurements"),
        sa.UniqueConstraint("device_id", "t_ms", name="uq_hems_measurements_device_id"),
    )


def _set_aside() -> None:
    op.create_table(
        "hems_set_aside",
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("doubt", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_hems_set_aside"),
    )
    op.create_index("ix_hems_set_aside_device_id", "hems_set_aside", ["device_id"])


def _devices() -> None:
    op.create_table(
        "hems_devices",
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("online_since_ms", sa.BigInteger(), nullable=False),
        sa.Column("firmware", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("relay_in", sa.BigInteger()),
        sa.Column("relay_out", sa.BigInteger()),
        sa.Column("plug_on", sa.BigInteger()),
        sa.Column("outbox", sa.BigInteger()),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", name="pk_hems_devices"),
    )


def _alarms() -> None:
    op.create_table(
        "hems_alarms",
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("raised_ms", sa.BigInteger(), nullable=False),
        sa.Column("cleared_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("number", name="pk_hems_alarms"),
    )
    op.create_index("ix_hems_alarms_open", "hems_alarms", ["cleared_ms", "kind", "device_id"])


def _anchors() -> None:
    op.create_table(
        "hems_anchors",
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("first_row", sa.BigInteger(), nullable=False),
        sa.Column("last_row", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("tx_id", sa.Text(), nullable=False),
        sa.Column("is_removed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series", "number", name="pk_hems_anchors"),
    )


def _transfers() -> None:
    op.create_table(
        "hems_transfers",
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("energy_wh", sa.BigInteger(), nullable=False),
        sa.Column("seller", sa.Text(), nullable=False),
        sa.Column("buyer", sa.Text(), nullable=False),
        sa.Column("seller_device", sa.Text(), nullable=False),
        sa.Column("buyer_device", sa.Text(), nullable=False),
        sa.Column("begins_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("seller_status", sa.Text(), nullable=False),
        sa.Column("seller_reason", sa.Text(), nullable=False),
        sa.Column("seller_mwh", sa.BigInteger(), nullable=False),
        sa.Column("buyer_status", sa.Text(), nullable=False),
        sa.Column("buyer_reason", sa.Text(), nullable=False),
        sa.Column("buyer_mwh", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("transfer_id", name="pk_hems_transfers"),
    )
    op.create_index("ix_hems_transfers_state", "hems_transfers", ["state", "number"])


def _commands() -> None:
    op.create_table(
        "hems_commands",
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("is_on", sa.BigInteger(), nullable=False),
        sa.Column("issued_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("answered_ms", sa.BigInteger()),
        sa.PrimaryKeyConstraint("command_id", name="pk_hems_commands"),
    )
    op.create_index("ix_hems_commands_device_id", "hems_commands", ["device_id"])


def _energy_events() -> None:
    op.create_table(
        "hems_energy_events",
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=False),
        sa.Column("energy_mwh", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_hems_energy_events"),
        sa.UniqueConstraint(
            "transfer_id", "device_id", "event", name="uq_hems_energy_events_transfer_id"
        ),
    )


def _mirror() -> None:
    op.create_table(
        "hems_mirror",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("writes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "day", name="pk_hems_mirror"),
    )

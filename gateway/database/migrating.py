"""Bring a database to the tables of this version; replicas that start together take turns."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from gateway.database.engine import Database

FOLDER = Path(__file__).parent / "migrations"
LOCK_ID = 0x67_72_69_64
"""Of PostgreSQL's advisory lock that a migration holds."""


def migrate(database: Database) -> None:
    """Run the migrations that are missing, all in one transaction."""
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": LOCK_ID})
        config = Config()
        config.set_main_option("script_location", str(FOLDER))
        config.attributes["connection"] = connection
        command.upgrade(config, "heads")

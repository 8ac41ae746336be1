"""The gateway's database: SQLite in WAL by default, PostgreSQL by URL, for replicas to share.

    database = open_database("sqlite:////var/lib/gridledger/gateway.db")
    migrate(database)
    with database.reading() as connection: ...   # one consistent snapshot
    with database.writing() as connection: ...   # one transaction, committed at the end

Calls block: from asyncio use `asyncio.to_thread`, in routes a plain `def`.

An area that keeps tables (`gateway/<area>/tables.py`) declares them on `Base` and brings them into
being with an Alembic branch of its own: the first file in `migrations/versions` has
`down_revision = None` and `branch_labels = ("<area>",)`, later ones follow it, so areas never wait
for each other. `tests/unit/gateway/test_database.py` compares tables and migrations.

Two kinds of tables: what `gateway/readmodel` projects from the ledger can be dropped and rebuilt;
everything else (sessions, keys already used, notices sent) is the gateway's own and is backed up.
docs/backup.md has backups, and replicas that are read while the primary is away.
"""

from gateway.database.declarations import Base
from gateway.database.engine import Database, open_database
from gateway.database.migrating import migrate
from gateway.database.outages import DatabaseUnavailable, outlasting

__all__ = ["Base", "Database", "DatabaseUnavailable", "migrate", "open_database", "outlasting"]

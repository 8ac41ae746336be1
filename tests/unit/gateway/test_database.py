"""Migrations make the tables that the code declares, in a file that only we read."""

import stat
import threading
from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from gateway.database import Base, Database, DatabaseUnavailable, engine, migrate, open_database
from gateway.database.migrating import FOLDER
from gateway.notices.outbox import Outbox
from gateway.notices.records import Channel
from tests.support.gateway_database import fresh_database

GATEWAY = Path(__file__).parents[3] / "gateway"


def migrate_to(database: Database, revision: str) -> None:
    """As a gateway of that time did."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_migrations_make_the_declared_tables():
    for path in sorted(GATEWAY.glob("*/tables.py")):
        import_module(f"gateway.{path.parent.name}.tables")
    with fresh_database().reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_migrated_database_is_migrated_again_without_effect(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/gateway.db")
    migrate(database)
    migrate(database)
    database.close()


def test_only_the_owner_reads_the_file(tmp_path):
    open_database(f"sqlite:///{tmp_path}/gateway.db").close()
    assert stat.S_IMODE((tmp_path / "gateway.db").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "url", ["", "nonsense", "sqlite://", "sqlite:///:memory:", "mysql://root@localhost/x"]
)
def test_another_kind_of_database_is_refused(url):
    with pytest.raises(ValueError, match=r"database URL|needs a file|not supported"):
        open_database(url)


def test_a_reader_sees_one_state_while_a_writer_changes_it():
    database = fresh_database()
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER)"))
    with database.reading() as reading:
        assert reading.execute(text("SELECT count(*) FROM numbers")).scalar() == 0
        with database.writing() as writing:
            writing.execute(text("INSERT INTO numbers VALUES (1)"))
        assert reading.execute(text("SELECT count(*) FROM numbers")).scalar() == 0
    with database.reading() as reading:
        assert reading.execute(text("SELECT count(*) FROM numbers")).scalar() == 1


@pytest.mark.parametrize("is_in_this_process", [True, False])
def test_who_waits_too_long_for_another_writer_is_told_so(
    tmp_path, monkeypatch, is_in_this_process
):
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 50)
    url = f"sqlite:///{tmp_path}/gateway.db"
    first = open_database(url)
    second = first if is_in_this_process else open_database(url)
    with first.writing(), pytest.raises(DatabaseUnavailable), second.writing():
        pytest.fail("two write at once")
    with second.writing() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER)"))


def test_what_we_ask_wrongly_of_a_file_is_no_outage():
    with (
        pytest.raises(OperationalError, match="no such table"),
        fresh_database().reading() as connection,
    ):
        connection.execute(text("SELECT * FROM nowhere"))


def test_a_transaction_is_synced_where_it_is_asked_for():
    database = fresh_database()
    for is_synced, level in ((True, 2), (False, 1), (True, 2)):
        with database.writing(is_synced=is_synced) as connection:
            assert connection.execute(text("PRAGMA synchronous")).scalar() == level


def test_an_exception_undoes_what_was_written():
    database = fresh_database()
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER)"))

    def fail() -> None:
        with database.writing() as connection:
            connection.execute(text("INSERT INTO numbers VALUES (1)"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.reading() as reading:
        assert reading.execute(text("SELECT count(*) FROM numbers")).scalar() == 0


def test_writers_of_several_threads_wait_for_each_other():
    database = fresh_database()
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER)"))
        connection.execute(text("INSERT INTO numbers VALUES (0)"))

    def add() -> None:
        for _ in range(50):
            with database.writing() as connection:
                before = connection.execute(text("SELECT n FROM numbers")).scalar_one()
                connection.execute(text("UPDATE numbers SET n = :n"), {"n": before + 1})

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.reading() as reading:
        assert reading.execute(text("SELECT n FROM numbers")).scalar() == 200


def test_mails_that_waited_before_there_were_other_ways_wait_still(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/gateway.db")
    migrate_to(database, "notices_0002")
    row = {"idgrid": "VAL-0000-G", "block_number": 7, "tx_index": 0, "kind": "match"}
    state = {"facts": "{}", "created_ms": 5, "state": "waiting", "attempts": 2, "due_ms": 9}
    values = row | state | {"channel": "email", "failure": ""}
    names = ", ".join(values)
    with database.writing() as connection:
        places = ", ".join(f":{name}" for name in values)
        connection.execute(text(f"INSERT INTO notices_outbox ({names}) VALUES ({places})"), values)
    migrate(database)
    item = Outbox(database).take(Channel.EMAIL, 9)
    assert item is not None
    assert (item.target, item.attempt, item.created_ms) == ("", 3, 5)
    assert item.notice.name == "match.7.0.VAL-0000-G"
    database.close()

"""A damaged LevelDB is named and set aside, and the blocks come back from the others.

Whatever byte or file is damaged: either everything is still read as it was written, or the damage
is named; in no case does a wrong or an older value pass for the right one.
"""

import shutil
from pathlib import Path

import pytest

from ledger.errors import NodeFault
from ledger.storage.chain_check import ChainBroken, verify_chain
from ledger.storage.fail_points import FailPoint
from ledger.storage.kv import StoreDamaged
from ledger.storage.ledger_folder import open_ledger_folder, set_ledger_aside
from ledger.storage.leveldb import damage_note_of
from ledger.storage.opening import DATABASE_FOLDER
from tests.durability.crash_stage import Crashed
from tests.durability.real_stage import RealStage
from tests.support.identities import CHANNEL_ID

BLOCKS = 3


@pytest.fixture(scope="module")
def grown(tmp_path_factory) -> RealStage:
    """A stopped validator with three blocks in tables and one more in the log."""
    stage = RealStage(tmp_path_factory.mktemp("grown"))
    stage.decide()
    stage.restart()
    stage.others_decide(BLOCKS - 2)
    stage.restart()
    stage.others_decide()
    stage.stop()
    return stage


@pytest.fixture
def database(grown, tmp_path) -> Path:
    """A copy of its database, to be damaged."""
    copied = tmp_path / "data" / DATABASE_FOLDER
    shutil.copytree(grown.data / DATABASE_FOLDER, copied)
    return copied


def read_all(grown: RealStage, database: Path) -> int:
    """Height of the ledger, every block and value of it checked; raises StoreDamaged."""
    opened = open_ledger_folder(
        database.parent, channel_id=CHANNEL_ID, genesis=grown.world.consortium.genesis
    )
    try:
        return verify_chain(opened.store, lambda _block: None)
    finally:
        opened.kv.close()


def set_aside_folders(database: Path) -> list[Path]:
    return sorted(database.parent.glob(f"{database.name}.damaged-*"))


def is_noticed(grown: RealStage, database: Path) -> bool:
    """Whether damage is found; if not, the ledger must read as it was written."""
    try:
        height = read_all(grown, database)
    except (StoreDamaged, ChainBroken):
        assert damage_note_of(database).exists()
        assert read_all(grown, database) == 1  # the next start
        assert not damage_note_of(database).exists()
        height = 1
    if set_aside_folders(database):
        assert height == 1
        return True
    assert height <= BLOCKS + 1
    return False


def test_an_undamaged_ledger_is_read_whole(grown, database):
    assert not is_noticed(grown, database)
    assert read_all(grown, database) == BLOCKS + 1


def files_of(database: Path) -> list[str]:
    return sorted(path.name for path in database.iterdir() if path.name not in ("LOCK", "LOG"))


def test_there_are_tables_a_log_a_manifest_and_current(database):
    kinds = {name.rsplit(".")[-1].split("-")[0] for name in files_of(database)}
    assert kinds >= {"ldb", "log", "MANIFEST", "CURRENT"}


@pytest.mark.parametrize("kind", ["*.ldb", "MANIFEST-*", "CURRENT"])
def test_a_missing_file_is_noticed(grown, database, kind):
    for path in sorted(database.glob(kind)):
        shutil.rmtree(database.parent)
        shutil.copytree(grown.data / DATABASE_FOLDER, database)
        path.unlink()
        assert is_noticed(grown, database), path.name


@pytest.mark.parametrize("kind", ["*.ldb", "MANIFEST-*", "CURRENT"])
@pytest.mark.parametrize("left", [0, 0.5])
def test_a_truncated_file_is_noticed(grown, database, kind, left):
    for path in sorted(database.glob(kind)):
        shutil.rmtree(database.parent)
        shutil.copytree(grown.data / DATABASE_FOLDER, database)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * left)])
        assert is_noticed(grown, database), path.name


def flips(path: Path, step: int) -> range:
    size = path.stat().st_size
    return range(min(step // 2, size - 1), size, step)


def check_flips(grown: RealStage, database: Path, step: int) -> tuple[int, int]:
    """(flips, noticed) over every file; what is not noticed must have changed nothing."""
    tried = noticed = 0
    for name in files_of(database):
        for position in flips(database / name, step):
            content = bytearray((database / name).read_bytes())
            content[position] ^= 0x20
            (database / name).write_bytes(bytes(content))
            noticed += is_noticed(grown, database)
            tried += 1
            shutil.rmtree(database.parent)
            shutil.copytree(grown.data / DATABASE_FOLDER, database)
    return tried, noticed


def test_flipped_bytes_are_noticed_or_change_nothing(grown, database):
    tried, noticed = check_flips(grown, database, 701)
    assert noticed > tried // 2


@pytest.mark.full
def test_more_flipped_bytes_are_noticed_or_change_nothing(grown, database):
    tried, noticed = check_flips(grown, database, 23)
    assert noticed > tried // 2


# -- what a validator does about it ---------------------------------------------------------------


@pytest.fixture
def stage(tmp_path):
    made = RealStage(tmp_path)
    made.decide()
    made.others_decide(2)
    yield made
    made.stop()


def damage(stage: RealStage) -> None:
    manifest = next((stage.data / DATABASE_FOLDER).glob("MANIFEST-*"))
    manifest.write_bytes(b"not a manifest" * 10)


def test_it_starts_anew_remembers_its_votes_and_ends_with_the_same_state(stage):
    assert stage.is_asked_and_votes()  # at height 4
    state = stage.committer.tip.commit_hash
    stage.stop()
    damage(stage)
    stage.start()
    assert stage.height == 1
    assert not stage.is_observing
    assert (stage.data / "blocks-and-state.damaged-1" / "CURRENT").exists()
    assert not stage.is_asked_and_votes()
    stage.others_decide(3)
    assert stage.committer.tip.commit_hash == state
    stage.restart()
    assert stage.height == 4
    said = {m.signed.payload_raw for m in stage.sent if m.signed.payload.height == 4}
    assert len(said) == 1


def test_with_the_journal_gone_as_well_it_observes(stage):
    stage.stop()
    damage(stage)
    (stage.data / "journal").unlink()
    stage.start()
    assert stage.is_observing


def start_and_read_all(stage: RealStage) -> None:
    stage.start()
    verify_chain(stage.store, lambda _block: None)


def test_damage_found_while_running_stops_it_and_the_next_start_sets_aside(stage):
    stage.restart()  # the blocks are in a table now
    stage.stop()
    table = max((stage.data / DATABASE_FOLDER).glob("*.ldb"), key=lambda p: p.stat().st_size)
    content = bytearray(table.read_bytes())
    content[len(content) // 3] ^= 1
    table.write_bytes(bytes(content))
    with pytest.raises(NodeFault, match="which is damaged"):
        start_and_read_all(stage)
    stage.stop()
    stage.start()
    assert stage.height == 1
    assert not stage.is_observing


def test_a_crash_while_setting_aside_is_taken_up_again(stage):
    stage.stop()
    damage(stage)
    stage.points.die_at = (FailPoint.LEDGER_SET_ASIDE, 1)
    with pytest.raises(Crashed):
        stage.start()
    stage.start()
    assert stage.height == 1
    assert not damage_note_of(stage.data / DATABASE_FOLDER).exists()


def test_an_operator_may_ask_for_it(stage):
    stage.stop()
    assert set_ledger_aside(stage.data).name == "blocks-and-state.set-aside-1"
    assert set_ledger_aside(stage.data) is None
    stage.start()
    assert stage.height == 1


def test_the_ledger_of_another_network_is_refused_and_left_alone(stage):
    stage.stop()
    other = stage.world.consortium.genesis
    with pytest.raises(NodeFault, match="another channel"):
        open_ledger_folder(stage.data, channel_id="elsewhere", genesis=other)
    assert not list(stage.data.glob("*.damaged-*"))
    stage.start()

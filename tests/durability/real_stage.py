"""One validator of four on real files and a real LevelDB, to be stopped, copied and damaged."""

import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from ledger.consensus.events import HeadClaimed
from ledger.consensus.messages import PrepareMessage
from ledger.consensus.quorum import proposer_of
from ledger.model.block import Block
from ledger.storage.fail_points import FailPoints
from ledger.storage.files import DiskFiles, LogFile
from ledger.storage.ledger_folder import open_ledger_folder
from ledger.storage.ledger_store import LedgerStore
from ledger.storage.leveldb import LevelDbStore
from tests.durability.crash_stage import OTHERS, OWN, CrashStage
from tests.support.identities import CHANNEL_ID
from tests.support.validator_world import VALIDATOR_IDS, ValidatorWorld


@lru_cache(maxsize=1)
def transactions() -> tuple[bytes, ...]:
    """As many as there are heights in a test."""
    world = ValidatorWorld()
    return tuple(world.transaction() for _ in range(24))


class RealDisk(DiskFiles):
    """The operating system's files, and a database opened by each start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kv: LevelDbStore | None = None
        self._opened: list[LogFile] = []

    def open(self, path: Path) -> LogFile:
        file = super().open(path)
        self._opened.append(file)
        return file

    def open_ledger(self, genesis: Block, fail_points: FailPoints) -> LedgerStore:
        ledger = open_ledger_folder(
            self.folder, channel_id=CHANNEL_ID, genesis=genesis, fail_points=fail_points
        )
        self.kv = ledger.kv
        return ledger.store

    def close(self) -> None:
        """As the end of a process does."""
        for file in self._opened:
            file.close()
        self._opened.clear()
        if self.kv is not None:
            self.kv.close()
            self.kv = None


class RealStage(CrashStage):
    """Its data folder is `data`; `start` and `stop` are a process's."""

    def __init__(
        self, folder: Path, *, rotation_bytes: int = 8 * 1024 * 1024, starts: bool = True
    ) -> None:
        self.data = folder / "ledger"
        super().__init__(
            folder,
            transactions(),
            disk=RealDisk(self.data),
            journal=self.data / "journal",
            rotation_bytes=rotation_bytes,
        )
        if starts:
            self.start()

    def start(self) -> None:
        self.news.clear()
        try:
            super().start()
        except BaseException:
            self.disk.close()
            raise

    def stop(self) -> None:
        self.disk.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def copy_to(self, target: Path) -> None:
        """As a backup of a stopped validator is made."""
        subprocess.run(["cp", "-a", str(self.data), str(target)], check=True)

    def restore_from(self, source: Path) -> None:
        shutil.rmtree(self.data)
        subprocess.run(["cp", "-a", str(source), str(self.data)], check=True)

    # -- the others -------------------------------------------------------------------------------

    @property
    def is_observing(self) -> bool:
        return self.core.state.quarantine is not None

    def others_decide(self, blocks: int = 1, *, sealed_by: tuple[int, ...] = OTHERS) -> None:
        """Blocks that come by catch-up; the same ones after a restart."""
        for _ in range(blocks):
            slot = (self.height, self.committer.tip.block_hash)
            if slot not in self.certified:
                proposer = proposer_of(VALIDATOR_IDS, self.height, 0)
                block = self.proposed(proposer, self.transactions[self.height])
                self.certified[slot] = self.world.certified(block=block, signers=sealed_by)
            self.fetch(self.certified[slot])

    def claim(self, heads: dict[int, int], *, observes: bool = False) -> None:
        """Others tell their newest block."""
        for author, newest in heads.items():
            self.driver.step(HeadClaimed(author, newest, observes))

    def is_asked_and_votes(self) -> bool:
        """Show it another validator's proposal for the height under decision."""
        proposer = proposer_of(VALIDATOR_IDS, self.height, 0)
        assert proposer != OWN, "choose a height at which someone else proposes"
        before = len(self.sent)
        block = self.proposed(proposer, self.transactions[self.height])
        self.receive(self.world.proposal(block))
        return any(isinstance(message, PrepareMessage) for message in self.sent[before:])

    def decide(self) -> None:
        """One height by consensus, with this validator's votes and seal."""
        assert self.is_asked_and_votes()
        height, block = self.height, next(reversed(self.blocks.values()))
        world = self.world
        self.receive(*[world.prepare(i, block) for i in OTHERS])
        self.receive(*[world.commit_vote(i, block) for i in OTHERS[:2]])
        assert self.height == height + 1
        own = [m.signed.payload.seal for m in self.sent if hasattr(m.signed.payload, "seal")]
        assert own, "it sealed"

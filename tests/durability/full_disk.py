"""`unshare -rm python -m tests.durability.full_disk DIR`: a validator on disks that fill up.

For disks of many sizes: play until there is no space left, enlarge the disk, start again, play to
the end, and check. Prints how many runs were stopped and how many were never short of space.
"""

import logging
import random
import subprocess
import sys
from pathlib import Path

from ledger.errors import NodeFault
from tests.durability.crash_stage import play_to_the_end, require_sound
from tests.durability.real_stage import RealStage

SIZES_KIB = (*range(36, 140, 8), 4_096)
ENLARGED_KIB = 8_192


def mount(folder: Path, size_kib: int, *options: str) -> None:
    mode = ",".join((*options, f"size={size_kib}k"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", mode, "disk", str(folder)], check=True)


def fill(folder: Path, size_kib: int) -> tuple[bool, bytes]:
    """(was it stopped, state at the end)"""
    mount(folder, size_kib)
    random.seed(size_kib)
    try:
        stage = RealStage(folder, rotation_bytes=1_500, starts=False)
        is_stopped = False
        try:
            play_to_the_end(stage)
        except NodeFault as fault:
            is_stopped = True
            sys.stdout.write(f"{size_kib} KiB: {fault}\n")
            mount(folder, ENLARGED_KIB, "remount")
            stage.stop()
            play_to_the_end(stage)
        require_sound(stage)
        assert stage.news == [], stage.news
        stage.stop()
        return is_stopped, stage.committer.tip.commit_hash
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def main(folder: Path) -> None:
    logging.disable(logging.CRITICAL)
    results = [fill(folder, size) for size in SIZES_KIB]
    assert len({state for _, state in results}) == 1, "the states differ"
    stopped = sum(is_stopped for is_stopped, _ in results)
    sys.stdout.write(f"{stopped} {len(results) - stopped}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

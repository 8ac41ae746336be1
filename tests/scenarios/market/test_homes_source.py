"""The homes of the replay are what the published wheel holds, to the watt-hour."""

import lzma
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.hems import extract_citylearn
from gateway.hems.profiles import DATA_FOLDER
from tests.architecture.source_files import ROOT

WHEEL = "CityLearn-2.0.0-py3-none-any.whl"
REQUIREMENT = (
    "CityLearn==2.0.0"
    " --hash=sha256:aef65c07922c7a609ca457fcb7d2abdcb156947e740bd55a408b37277023f47a\n"
)
"""The set of the CityLearn Challenge 2022; MIT, see gateway/data/citylearn2022."""


def wheel() -> Path:
    """The wheel with the pinned hash, fetched once; nothing of it is installed."""
    folder = ROOT / ".cache" / "citylearn"
    if not (folder / WHEEL).exists():
        folder.mkdir(parents=True, exist_ok=True)
        pinned = folder / "requirements.txt"
        pinned.write_text(REQUIREMENT)
        fetch = ["download", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
        subprocess.run(
            [sys.executable, "-m", "pip", *fetch, "-r", str(pinned), "-d", str(folder)], check=True
        )
    return folder / WHEEL


@pytest.mark.full
def test_the_extract_is_what_the_script_makes_of_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract_citylearn, "TARGET", tmp_path)
    monkeypatch.setattr(sys, "argv", ["extract_citylearn", str(wheel())])
    extract_citylearn.main()
    assert (tmp_path / "homes.csv").read_text() == (DATA_FOLDER / "homes.csv").read_text()
    made, kept = (
        lzma.decompress((f / "hours.csv.xz").read_bytes()) for f in (tmp_path, DATA_FOLDER)
    )
    assert made == kept

"""Other projects' Python packages for tests: pinned with hashes, in folders of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from network.bootstrap import PipSettings, fetch_pip, pip_config_files, read_pip_settings

CACHE = Path(__file__).parents[2] / ".cache"
INSTALL_TIMEOUT_S = 300


def install_python_packages(requirements: str, folder: Path) -> Path:
    """`folder` with exactly these packages; put it on PYTHONPATH of a process that needs them."""
    marker = folder / "requirements.txt"
    if marker.exists() and marker.read_text() == requirements:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wanted = folder / "wanted.txt"
    wanted.write_text(requirements)
    install = ("install", "-qq", "--no-input", "--disable-pip-version-check", "--no-deps")
    done = subprocess.run(
        [*_pip(), *install, "--require-hashes", "-r", wanted, "--target", folder],
        capture_output=True,
        text=True,
        timeout=INSTALL_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
    wanted.rename(marker)
    return folder


def _pip() -> list[str | Path]:
    """This environment's pip, or the pinned one that set-up uses where there is none."""
    own = [sys.executable, "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True, check=False).returncode == 0:
        return own
    settings: PipSettings = read_pip_settings(os.environ, pip_config_files(os.environ))
    return [sys.executable, fetch_pip(settings, CACHE) / "pip"]

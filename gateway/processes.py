"""What each process of the gateway begins with: the file that `--config` names, and the clock."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

S = TypeVar("S")


def settings_named(parser: argparse.ArgumentParser, file: str, load: Callable[[Path], S]) -> S:
    """The settings of the file on the command line; what is wrong with it ends the process."""
    parser.add_argument("--config", type=Path, required=True, help=file)
    path: Path = parser.parse_args().config
    try:
        return load(path)
    except OSError as error:
        parser.error(f"cannot read {path}: {error.strerror}")
    except KeyError as error:
        parser.error(f"{path}: the field {error} is missing")
    except (TypeError, ValueError) as error:
        parser.error(f"{path}: {error}")


def clock_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000

"""`gridledger client`: a Python package for scripts, generated from the API's description."""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from network.progress import progress

GENERATOR = "openapi_python_client"
PACKAGE = "gridledger_client"
EXIT_FAILED = 1
CONFIGURATION = {
    "project_name_override": "gridledger-client",
    "package_name_override": PACKAGE,
    # What the generator has no name for is handed over as bytes or as text.
    "content_type_overrides": {
        "application/problem+json": "application/json",
        "application/vnd.gridledger.receipt": "application/octet-stream",
        "application/pdf": "application/octet-stream",
        "image/svg+xml": "text/html",
        "text/csv": "text/html",
    },
}
README = """\
# gridledger-client

A client of a Gridledger gateway's REST API, generated from its OpenAPI description by
`gridledger client`. Install it with `pip install .`; it needs httpx and attrs. Each call is a
module of its tag with `sync`, `sync_detailed`, `asyncio` and `asyncio_detailed`:

```python
from gridledger_client import Client
from gridledger_client.api.market import listings

page = listings.sync(client=Client(base_url="http://127.0.0.1:8080"), limit=1)
```

`AuthenticatedClient(base_url=..., token=...)` signs in with a script's token. A refusal is a
`ProblemDocument`. Energy is in Wh, money in micro-tokens, prices in micro-tokens per kWh, times
in ms UTC.
"""


def main(arguments: Sequence[str]) -> int:
    """Write the package; 1 and one line on standard error when it cannot be done."""
    parser = argparse.ArgumentParser(
        prog="gridledger client", description="Write a Python client of the gateway's REST API."
    )
    parser.add_argument("--out", type=Path, required=True, help="a new folder for the package")
    folder: Path = parser.parse_args(arguments).out
    try:
        with progress("generating the client"):
            generate(folder)
    except ClientError as error:
        print(f"gridledger client: {error}", file=sys.stderr)
        return EXIT_FAILED
    print(f"the package {PACKAGE} is in {folder}; install it with: pip install {folder}")
    return 0


class ClientError(Exception):
    """The client cannot be written; the text says why."""


def generate(folder: Path) -> None:
    """The installable package in a folder that is new or empty. Raises `ClientError`."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ClientError(f"{folder} exists and is never overwritten")
    if importlib.util.find_spec(GENERATOR) is None:
        raise ClientError(
            "the generator is missing; install it: pip install openapi-python-client"
        )
    with tempfile.NamedTemporaryFile("w", suffix=".json") as configuration:
        json.dump(CONFIGURATION, configuration)
        configuration.flush()
        _run_generator(folder, Path(configuration.name))
    folder.joinpath("README.md").write_text(README, encoding="utf-8")


def _run_generator(folder: Path, configuration: Path) -> None:
    description = files("gateway.api").joinpath("openapi.json")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    ended = subprocess.run(
        [
            *(sys.executable, "-P", "-m", GENERATOR, "generate", "--meta", "setup"),
            *("--path", str(description), "--config", str(configuration)),
            *("--output-path", str(folder), "--overwrite", "--fail-on-warning"),
        ],
        capture_output=True,
        text=True,
        check=False,
        # It formats what it has written with ruff, which lies beside this Python.
        env=os.environ | {"PATH": programs},
    )
    if ended.returncode != 0:
        raise ClientError(f"the generator failed:\n{ended.stdout}{ended.stderr}")

"""Fabric's official message classes for Python, for processes of their own.

They cannot be loaded beside ours: both register packages of the same names.
"""

import os
import sys
from pathlib import Path

from tests.support.python_packages import CACHE, install_python_packages

REPOSITORY = Path(__file__).parents[2]
REQUIREMENTS = (
    "hyperledger-fabric-protos==0.3.7.dev349689853811"
    " --hash=sha256:2e6e39165611a1661dc1fde29b74a01da19b26b63b310bcf21eda3018d663cef\n"
    # The newest of the line that they were generated for.
    "protobuf==5.29.5"
    " --hash=sha256:63848923da3325e1bf7e9003d680ce6e14b07e55d0473253a690c3a8b8fd6e61"  # x86_64
    " --hash=sha256:fa18533a299d7ab6c55a238bf8629311439995f2e7eca5caaff08663606e9015"  # aarch64
    " --hash=sha256:6cf42630262c59b2d8de33954443d94b746c952b01434fc58a417fdbd2e84bd5\n"  # any
)


def program(*arguments: str | Path) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a Python process with the official messages."""
    messages = install_python_packages(REQUIREMENTS, CACHE / "fabric-messages")
    path = os.pathsep.join((str(messages), str(REPOSITORY)))
    command = [sys.executable, "-W", "error", *map(str, arguments)]
    return command, {**os.environ, "PYTHONPATH": path}

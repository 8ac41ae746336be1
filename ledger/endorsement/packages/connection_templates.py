"""A service package may leave values of its connection.json to each peer: `{{.name}}`.

So one package, with one id, leads every peer of a member to a service of its own. Fabric's builder
for chaincode as a service has the same form.
"""

import json
import re
from collections.abc import Callable, Mapping

from ledger.endorsement.packages.package import CONNECTION_FILE, PackageRefused

VARIABLE = "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG"
"""The peer's environment variable with the values: a JSON object of texts."""
_TEMPLATE = re.compile(rb"\{\{\s*\.([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}", re.ASCII)
_EXAMPLE = "1"


def filled(files: dict[str, bytes], values: Mapping[str, str]) -> dict[str, bytes]:
    """The package's files with this peer's values; raises PackageRefused for one it lacks."""

    def value(match: re.Match[bytes]) -> bytes:
        name = match[1].decode("ascii")
        if name not in values:
            raise PackageRefused(
                f"{CONNECTION_FILE} asks for {name!r}, which {VARIABLE} of this peer does not have"
            )
        return json.dumps(values[name])[1:-1].encode()

    return _replaced(files, value)


def with_examples(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files with any value in the place of what a peer fills in, to check the rest."""
    return _replaced(files, lambda _match: _EXAMPLE.encode())


def _replaced(
    files: dict[str, bytes], value: Callable[[re.Match[bytes]], bytes]
) -> dict[str, bytes]:
    if CONNECTION_FILE not in files:
        return files
    return {**files, CONNECTION_FILE: _TEMPLATE.sub(value, files[CONNECTION_FILE])}

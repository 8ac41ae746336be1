"""Make and sign an update: `python firmware/release.py FOLDER --board pico_w --url … --key …`.

FOLDER gets the files to serve at the URL, their list, and `manifest.json`, which the gateway
publishes, retained, on the leaf `ota` of each node that shall have it. The version is that of
meternode/version.py.
"""

import argparse
import base64
import hashlib
import json
import runpy
import sys
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from ledger.crypto.signing import to_low_s

FIRMWARE = Path(__file__).parent
SOURCE = FIRMWARE / "src"
BOARDS = ("pico_w", "pico_2_w", "esp32_s2", "esp32_s3", "pc")


class BadRequest(Exception):  # noqa: N818 - what was asked for
    """Why no release was made."""


def make_release(
    folder: Path, *, source: Path, board: Path, url: str, key: ec.EllipticCurvePrivateKey
) -> bytes:
    """Write a release; its manifest. `board` is the folder that becomes `board/` on the node.

    Raises `OSError` for a URL that no node can fetch from, before anything is written.
    """
    sys.path.insert(0, str(SOURCE))
    from meternode.http_get import split_url  # noqa: PLC0415 - one definition for both ends
    from meternode.manifest import signed_line  # noqa: PLC0415
    from meternode.update import LIST  # noqa: PLC0415

    split_url(url)
    places = {"meternode": source / "meternode", "drivers": source / "drivers", "board": board}
    lines = []
    for name, place in places.items():
        for path in sorted(place.glob("*.py")):
            content = path.read_bytes()
            target = folder / name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            digest = hashlib.sha256(content).hexdigest()
            lines.append(f"{name}/{path.name}|{len(content)}|{digest}\n")
    listed = "".join(lines).encode()
    (folder / LIST).write_bytes(listed)
    files = hashlib.sha256(listed).hexdigest()
    version = runpy.run_path(str(source / "meternode" / "version.py"))["VERSION"]
    signature = to_low_s(key.sign(signed_line(version, url, files), ec.ECDSA(hashes.SHA256())))
    manifest = {"v": 1, "version": version, "url": url, "files": files}
    manifest["sig"] = base64.b64encode(signature).decode("ascii")
    encoded = json.dumps(manifest, separators=(",", ":")).encode()
    (folder / "manifest.json").write_bytes(encoded)
    return encoded


def update_key(key: ec.EllipticCurvePrivateKey) -> str:
    """`update_key` of config.json: the uncompressed public point in hex."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex()


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The community's update key; raises `BadRequest` when it is no P-256 key."""
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise BadRequest(f"{path} is no key on P-256")
    return key


def main() -> int:
    """Entry point; 1 and a sentence when something is wrong."""
    parser = argparse.ArgumentParser(prog="release.py", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--board", choices=BOARDS, required=True)
    parser.add_argument("--url", required=True, help="where FOLDER will be served")
    parser.add_argument("--key", type=Path, required=True, help="P-256 private key, PEM")
    options = parser.parse_args()
    board = FIRMWARE / "virtual" if options.board == "pc" else SOURCE / "board"
    url = options.url.rstrip("/")
    try:
        key = load_key(options.key)
        made = make_release(options.folder, source=SOURCE, board=board, url=url, key=key)
    except (BadRequest, OSError, ValueError) as error:
        print(f"no release: {error}", file=sys.stderr)
        return 1
    print(f"{options.folder}: version {json.loads(made)['version']}")
    print(f'"update_key": "{update_key(key)}"')
    return 0


if __name__ == "__main__":
    sys.exit(main())

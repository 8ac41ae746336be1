"""Prepare the flash of a node: `python firmware/provision.py image FOLDER …`, then copy it.

The folder is everything a node needs and nothing it should not have: the application, its
settings, the community's authority, its token for the broker, and the enrolment code its owner
got. The signing key is not in it: the node makes that at its first start. Only the standard
library is used, so any PC with Python can do it. docs/hardware.md goes through it.
"""

import argparse
import json
import os
import shutil
import ssl
import sys
import time
from pathlib import Path

FIRMWARE = Path(__file__).parent
SOURCE = FIRMWARE / "src"
SLOT = "a"
SECRET_MODE, SECRET_FOLDER_MODE = 0o600, 0o700
BOARDS = ("pico_w", "pico_2_w", "esp32_s2", "esp32_s3", "pc")


class BadRequest(Exception):  # noqa: N818 - what the installer asked for
    """Why no image was made."""


def make_image(
    folder: Path, *, settings: dict, authority: bytes, token: str, code: str, wifi: dict | None
) -> None:
    """Write a node's flash into a new folder; raises `BadRequest` when it is not empty."""
    board = _checked_board(settings)
    settings["board"]["made_ms"] = time.time_ns() // 1_000_000
    if board != "pc" and wifi is None:
        raise BadRequest(f"a {board} joins by Wi-Fi: give --wifi-name and --wifi-password-file")
    if folder.exists() and any(folder.iterdir()):
        raise BadRequest(f"{folder} is not empty: a node's key may be in it")
    folder.mkdir(parents=True, exist_ok=True, mode=SECRET_FOLDER_MODE)
    folder.chmod(SECRET_FOLDER_MODE)
    shutil.copy(SOURCE / "main.py", folder / "main.py")
    for package in ("meternode", "drivers"):
        _copy_modules(SOURCE / package, folder / SLOT / package)
    _copy_modules(
        FIRMWARE / "virtual" if board == "pc" else SOURCE / "board", folder / SLOT / "board"
    )
    _write(folder / "config.json", json.dumps(settings, indent=1).encode())
    _write(folder / "ca.der", _in_der(authority))
    _write(folder / "enrol.code", code.encode())
    (folder / "keys").mkdir(mode=SECRET_FOLDER_MODE)
    _write(folder / "keys" / "broker.token", token.encode())
    if wifi is not None:
        _write(folder / "keys" / "wifi.json", json.dumps(wifi).encode())


def _checked_board(settings: object) -> str:
    """The kind of board, once the node itself would take its settings; raises `BadRequest`."""
    part = settings.get("board") if isinstance(settings, dict) else None
    if not isinstance(part, dict) or part.get("kind") not in BOARDS:
        raise BadRequest(f"board.kind of the settings is one of {', '.join(BOARDS)}")
    sys.path.insert(0, str(SOURCE))
    from board.kinds import check_board  # noqa: PLC0415 - a board's module
    from meternode.settings import BadSettings, Settings  # noqa: PLC0415

    try:
        checked = Settings(settings)
        if part["kind"] != "pc":
            check_board(checked)
    except BadSettings as error:
        raise BadRequest(f"settings: {error}") from None
    return str(part["kind"])


def _in_der(bundle: bytes) -> bytes:
    """The certificates of a PEM bundle, in DER, one after the other."""
    ends = bundle.decode("ascii").split("-----END CERTIFICATE-----")[:-1]
    if not ends:
        raise BadRequest("the authority's file has no certificate in PEM")
    return b"".join(
        ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN") :] + "-----END CERTIFICATE-----")
        for text in ends
    )


def _copy_modules(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for path in sorted(source.glob("*.py")):
        shutil.copy(path, target / path.name)


def _write(path: Path, content: bytes) -> None:
    """A file only its owner may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="provision.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    image = commands.add_parser("image", help="write a node's flash into a folder")
    image.add_argument("folder", type=Path)
    image.add_argument("--settings", type=Path, required=True, help="config.json of the node")
    image.add_argument("--authority", type=Path, required=True, help="the broker's CA, PEM")
    image.add_argument("--token-file", type=Path, required=True, help="the node's broker token")
    image.add_argument("--code", required=True, help="the enrolment code of the owner")
    image.add_argument("--wifi-name", help="of the network the node joins")
    image.add_argument("--wifi-password-file", type=Path)
    calibrate = commands.add_parser("calibrate", help="gain and offset from two measured points")
    calibrate.add_argument("points", type=int, nargs=4, metavar=("RAW", "TRUE", "RAW", "TRUE"))
    calibrate.add_argument("--range", type=int, required=True, help="the channel's largest value")
    return parser


def _wifi(name: str | None, password_file: Path | None) -> dict | None:
    """`{"name", "password"}`; raises `BadRequest` for one without the other."""
    if name is None and password_file is None:
        return None
    if not name or password_file is None:
        raise BadRequest("--wifi-name and --wifi-password-file belong together")
    return {"name": name, "password": password_file.read_text().strip()}


def calibration(points: list[int], unit_max: int) -> list[int]:
    """`[gain_ppm, offset]` for config.json from what a node showed and an instrument told.

    Raises `ValueError` when no working sensor would need it.
    """
    sys.path.insert(0, str(SOURCE))
    from meternode.sensors import calibration_from  # noqa: PLC0415 - a board's module

    found = calibration_from((tuple(points[:2]), tuple(points[2:])), unit_max)
    return [found.gain_ppm, found.offset]


def main() -> int:
    """Entry point; 1 and a sentence when something is wrong."""
    options = _parser().parse_args()
    try:
        if options.command == "calibrate":
            print(json.dumps(calibration(options.points, options.range)))
            return 0
        make_image(
            options.folder,
            settings=json.loads(options.settings.read_text()),
            authority=options.authority.read_bytes(),
            token=options.token_file.read_text().strip(),
            code=options.code,
            wifi=_wifi(options.wifi_name, options.wifi_password_file),
        )
    except (BadRequest, OSError, ValueError, KeyError) as error:
        wanted = "calibration" if options.command == "calibrate" else "image"
        print(f"no {wanted}: {error}", file=sys.stderr)
        return 1
    print(f"{options.folder}: copy it to the node with")
    print(f"    mpremote connect auto fs cp -r {options.folder}/. : + reset")
    return 0


if __name__ == "__main__":
    sys.exit(main())

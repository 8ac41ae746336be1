"""An update on its whole way: signed, published, fetched, started, proved or undone."""

import asyncio
import json
import runpy
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.firmware.interpreter import ROOT
from tests.firmware.pc_node import PcNode
from tests.firmware.test_pc_node import running, scene

RELEASE = runpy.run_path(str(ROOT / "firmware" / "release.py"))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def release(folder: Path, url: str, key, *, broken: bool = False) -> bytes:
    source, board = folder / "src", folder / "board"
    shutil.copytree(ROOT / "firmware" / "src", source)
    shutil.copytree(ROOT / "firmware" / "virtual", board)
    (source / "meternode" / "version.py").write_text('VERSION = "1.0.1"\n')
    if broken:
        (board / "start.py").write_text("def main():\n    raise OSError('a bad version')\n")
    return RELEASE["make_release"](folder / "served", source=source, board=board, url=url, key=key)


def slot(node: PcNode) -> dict:
    return json.loads((node.folder / "slot.json").read_text())


def test_a_node_installs_proves_and_keeps_a_signed_update(tmp_path):
    async def play() -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        (tmp_path / "served").mkdir()
        with served(tmp_path / "served") as url:
            manifest = release(tmp_path, url, key)
            async with scene(tmp_path) as world:
                folder = world.image("node-1", update_key=RELEASE["update_key"](key))
                async with running(folder) as node:
                    await world.wait_for("node-1", "state")
                    await world.send("node-1", "ota", json.loads(manifest))
                    await node.ended()
                    assert node.lines[-1] == {"restarting": 1}, node.said
                assert slot(node) == {"active": "b", "confirmed": False, "tries": 3}
                async with running(folder) as node:
                    assert node.lines[-1]["version"] == "1.0.1"
                    await world.wait_for("node-1", "state", lambda s: s.get("fw") == "1.0.1")
                    assert slot(node)["tries"] == 2
                    reading = (await world.wait_for("node-1", "reading"))[-1]
                    stored = {"v": 1, "m": "node-1", "seqs": [[1, reading["seq"]]]}
                    await world.send("node-1", "stored", stored)
                    await node.wait_until_it_says("version 1.0.1 stays")
                    assert slot(node)["confirmed"]

    asyncio.run(play())


def test_a_version_that_does_not_start_is_gone_after_three_tries(tmp_path):
    async def play() -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        (tmp_path / "served").mkdir()
        with served(tmp_path / "served") as url:
            manifest = release(tmp_path, url, key, broken=True)
            async with scene(tmp_path) as world:
                folder = world.image("node-1", update_key=RELEASE["update_key"](key))
                async with running(folder) as node:
                    await world.wait_for("node-1", "state")
                    await world.send("node-1", "ota", json.loads(manifest))
                    await node.ended()
                for _ in range(3):
                    failed = PcNode(folder)
                    await failed.start(waits=False)
                    await failed.ended()
                    assert "a bad version" in "".join(failed.said)
                async with running(folder) as node:
                    assert node.lines[-1]["version"] == "1.0.0"

    asyncio.run(play())


@pytest.mark.parametrize("url", ["nonsense", "ftp://gateway.example/1.1.0", "https://h:x/1.1.0"])
def test_an_address_no_node_can_fetch_from_is_not_signed(tmp_path, url):
    key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises((OSError, ValueError)):
        release(tmp_path, url, key)
    assert not (tmp_path / "served").exists()

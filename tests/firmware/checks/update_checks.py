"""An update: signed, whole, newer, and undone when it does not work."""

import asyncio
import binascii
import hashlib
import json

import main as starter
from meternode import ecdsa, manifest, p256, slots, update
from meternode.flash import make_folder, read_bytes, write_bytes
from meternode.manifest import BadUpdate

KEY = 0x5EED
POINT = binascii.hexlify(p256.encode_point(p256.multiply_generator(KEY))).decode()
URL = "http://gateway.example/firmware/1.1.0"
FILES = {"board/start.py": b"print('new')\n", "meternode/version.py": b'VERSION = "1.1.0"\n'}


def check_a_good_update_fills_the_other_folder_and_starts_next_on_flash(folder):
    root = board(folder)
    checked = manifest.check_manifest(signed(), POINT, "1.0.0")
    assert checked.version == "1.1.0"
    asyncio.run(update.install(checked, fetch, root))
    assert read_bytes(root + "b/meternode/version.py") == FILES["meternode/version.py"]
    assert slots.read_slot(root) == {"active": "b", "confirmed": False, "tries": 3}


def check_the_starter_goes_back_after_three_starts_without_proof_on_flash(folder):
    root = board(folder)
    install(root)
    starts = []
    slot = slots.read_slot(root)
    for _ in range(5):
        slot = starter.choose(slot)
        starts.append(slot["active"])
    assert starts == ["b", "b", "b", "a", "a"]
    assert slot["confirmed"]


def check_a_confirmed_update_stays_on_flash(folder):
    root = board(folder)
    install(root)
    assert slots.confirm(root)
    assert not slots.confirm(root)
    slot = slots.read_slot(root)
    assert [starter.choose(slot)["active"] for _ in range(5)] == ["b"] * 5


def check_the_next_update_goes_into_the_first_folder_on_flash(folder):
    root = board(folder)
    install(root)
    slots.confirm(root)
    write_bytes(root + "a/old.py", b"")
    install(root)
    assert slots.read_slot(root)["active"] == "a"
    assert read_bytes(root + "a/old.py") is None, "nothing of the former stays"


def check_no_forged_or_old_manifest_is_accepted():
    good = json.loads(signed())
    manifest.check_manifest(json.dumps(good), POINT, "1.0.9")
    wrong = {
        "signature": [
            dict(good, version="1.2.0"),
            dict(good, url="http://elsewhere.example"),
            dict(good, files="0" * 64),
            json.loads(signed(key=KEY + 1)),
        ],
        "not newer": [json.loads(signed(version="0.9.9")), json.loads(signed(version="1.0.0"))],
        "malformed": [
            {},
            [],
            None,
            dict(good, sig=""),
            dict(good, sig="!"),
            dict(good, version=7),
        ],
    }
    for reason, manifests in wrong.items():
        for content in manifests:
            assert refusal(json.dumps(content), "1.0.0") == reason, (reason, content)
    assert refusal(signed(), "1.0.0", "04" + "00" * 64) == "update_key of config.json"
    assert refusal("x" * 5_000, "1.0.0") == "too large"
    assert refusal(signed(version="1.10.0"), "1.9.0") is None, "versions compare as numbers"


def check_no_file_leaves_its_folder_on_flash(folder):
    root = board(folder)
    paths = ("../main.py", "/main.py", "a/b/c/d.py", "x.txt", "", ".py", "a//b.py", "a/../b.py")
    for path in paths:
        listed = f"{path}|1|{64 * '0'}\n".encode()
        assert not_installed(root, listed).startswith("file"), path
    for listed in (b"no list", b"a.py|x|y\n", b"a.py|1\n"):
        assert not_installed(root, listed) == "list"
    names = [f"m{number}.py" for number in range(61)]
    many = b"".join([line_of(name, b"") for name in names])
    assert not_installed(root, many, dict.fromkeys(names, b"")) == "number of files"
    assert slots.read_slot(root)["active"] == "a"


def check_a_file_that_is_not_as_announced_leaves_the_running_one_alone_on_flash(folder):
    root = board(folder)
    checked = manifest.check_manifest(signed(), POINT, "1.0.0")

    async def altered(url, write):
        write(served(url).replace(b"new", b"odd"))

    async def endless(url, write):
        write(served(url))
        while True:
            write(b"x" * 512)

    async def other_list(url, write):
        write(served(url) + b"x.py|0|\n")

    for bad in (altered, endless, other_list):
        try:
            asyncio.run(update.install(checked, bad, root))
            raise AssertionError("installed")
        except BadUpdate:
            assert slots.read_slot(root)["active"] == "a"


def board(folder):
    make_folder(folder + "/a")
    return folder + "/"


def install(root):
    asyncio.run(update.install(manifest.check_manifest(signed(), POINT, "1.0.0"), fetch, root))


async def fetch(url, write):
    content = served(url)
    write(content[:5])
    write(content[5:])


def served(url):
    path = url[len(URL) + 1 :]
    return file_list() if path == update.LIST else FILES[path]


def not_installed(root, listed, files=()):
    """Why a signed list that is not as it should be was refused."""
    digest = binascii.hexlify(hashlib.sha256(listed).digest()).decode()
    checked = manifest.check_manifest(signed(files=digest), POINT, "1.0.0")

    async def fetch_this(url, write):
        path = url[len(URL) + 1 :]
        write(listed if path == update.LIST else files[path])

    try:
        asyncio.run(update.install(checked, fetch_this, root))
    except BadUpdate as error:
        return str(error)
    return None


def file_list():
    return b"".join([line_of(path, content) for path, content in sorted(FILES.items())])


def line_of(path, content):
    digest = binascii.hexlify(hashlib.sha256(content).digest()).decode()
    return f"{path}|{len(content)}|{digest}\n".encode()


def signed(version="1.1.0", files=None, key=KEY):
    if files is None:
        files = binascii.hexlify(hashlib.sha256(file_list()).digest()).decode()
    line = manifest.signed_line(version, URL, files)
    r, s = ecdsa.sign_digest(key, hashlib.sha256(line).digest())
    signature = binascii.b2a_base64(ecdsa.encode_signature(r, s)).strip().decode()
    return json.dumps({"v": 1, "version": version, "url": URL, "files": files, "sig": signature})


def refusal(raw, running, hex_key=POINT):
    try:
        manifest.check_manifest(raw, hex_key, running)
    except BadUpdate as error:
        return str(error)
    return None

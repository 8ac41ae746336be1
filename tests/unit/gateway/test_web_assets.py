"""Files under /static: vendored ones are as listed; each is found, cached, compressed."""

import asyncio
import base64
import gzip
import tomllib

import httpx
import pytest

from gateway.application import create_app
from gateway.web.assets import ASSETS, FOLDER
from ledger.crypto.hashing import sha256
from tests.unit.gateway.ledger_double import LedgerDouble, services_over

VENDOR = FOLDER / "vendor"
PACKAGES = tomllib.loads((VENDOR / "vendored.toml").read_text(encoding="utf-8"))["package"]


def get(path: str, **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        app = create_app(services_over(LedgerDouble(lambda _function, _args: {})))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


def test_every_vendored_file_is_listed_with_its_hash_and_licence():
    listed = {"vendored.toml"}
    for package in PACKAGES:
        assert package["version"] in package["origin"]
        assert package["archive"].startswith("sha512-")
        assert package["licence"]
        listed.add(package["licence_file"])
        for file in package["files"]:
            digest = sha256((VENDOR / file["name"]).read_bytes())
            assert file["integrity"] == "sha256-" + base64.b64encode(digest).decode()
            assert ASSETS.integrity(f"vendor/{file['name']}") == file["integrity"]
            listed.add(file["name"])
    assert {path.name for path in VENDOR.iterdir()} == listed


def test_a_named_version_is_kept_and_another_is_asked_for_again():
    named = get(ASSETS.url("page.css"))
    assert named.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert named.headers["content-type"].startswith("text/css")
    old = get("/static/page.css?v=000000000000")
    assert old.headers["cache-control"] == "no-cache"
    again = get("/static/page.css", **{"if-none-match": named.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_public_files_are_compressed_and_pages_are_not():
    asset = ASSETS.find("page.css")
    assert gzip.decompress(asset.compressed) == asset.content
    assert get("/static/page.css").headers["content-encoding"] == "gzip"
    plain = get("/static/page.css", **{"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == asset.content
    assert "content-encoding" not in get("/").headers


@pytest.mark.parametrize(
    "path", ["/static/../routes.py", "/static/%2e%2e/routes.py", "/static/", "/static/nothing.css"]
)
def test_only_the_files_of_the_folder_can_be_asked_for(path):
    answer = get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_manifest_and_the_worker_name_files_that_exist():
    manifest = get("/manifest.webmanifest", **{"accept-language": "es"})
    assert manifest.headers["content-type"] == "application/manifest+json"
    content = manifest.json()
    assert (content["start_url"], content["display"], content["lang"]) == (
        "/",
        "standalone",
        "es-CL",
    )
    assert {icon["sizes"] for icon in content["icons"]} == {"any", "192x192", "512x512"}
    for icon in content["icons"]:
        assert get(icon["src"]).status_code == 200
    worker = get("/service-worker.js")
    assert worker.headers["content-type"].startswith("text/javascript")
    assert ASSETS.url("page.css") in worker.text
    policy = worker.headers["content-security-policy"]
    assert "manifest-src 'self'" in policy
    assert "worker-src 'self'" in policy

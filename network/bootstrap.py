"""Makes `.venv` from `requirements.lock` on a machine that has only Python; run by file name.

Standard library only, because it runs before anything is installed. Order of attempts:

1. an existing `.venv` whose stamp names this lock file, this Python and this folder: nothing to do
2. `uv`, if the machine has it
3. `python3 -m venv` with the pip that ensurepip brings
4. `python3 -m venv --without-pip` and a pinned pip wheel from the package index, checked by its
   SHA-256 and run as a zip (Debian ships Python without ensurepip)

The pip settings of the machine are honoured: environment (`PIP_INDEX_URL`, `PIP_EXTRA_INDEX_URL`,
`PIP_FIND_LINKS`, `PIP_NO_INDEX`, `PIP_CERT`, `PIP_PROXY`, `PIP_TRUSTED_HOST`), pip's
configuration files, and the usual proxy variables.
"""

import base64
import configparser
import fcntl
import hashlib
import importlib.util
import os
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
DEFAULT_INDEX_URL = "https://pypi.org/simple"
DOWNLOAD_BYTES_MAX = 20_000_000
DOWNLOAD_TIMEOUT_S = 60
STAMP_NAME = "gridledger-stamp"


class SetupError(Exception):
    """Set-up cannot go on; the text says what to do about it."""


@dataclass(frozen=True, slots=True)
class PipSettings:
    """Where packages come from on this machine, as pip itself would read it."""

    index_url: str | None = DEFAULT_INDEX_URL
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    cert: str | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """One file offered by an index page or a links folder."""

    url: str
    file_name: str


# --- the pip settings of this machine ---------------------------------------------------------


def pip_config_files(environ: Mapping[str, str]) -> list[Path]:
    """Configuration files of pip, weakest first (pip documentation, "Configuration")."""
    if environ.get("PIP_CONFIG_FILE") == os.devnull:
        return []
    home = Path(environ.get("HOME", "/"))
    config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    shared = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    files = [Path(folder) / "pip" / "pip.conf" for folder in shared if folder]
    files += [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", config_home / "pip" / "pip.conf"]
    if environ.get("PIP_CONFIG_FILE"):
        files.append(Path(environ["PIP_CONFIG_FILE"]))
    return files


def read_pip_settings(environ: Mapping[str, str], config_files: Sequence[Path]) -> PipSettings:
    """Merge configuration files ([global], then [install]) and `PIP_*`; the last one wins."""
    values: dict[str, str] = {}
    for section in ("global", "install"):
        for path in config_files:
            parser = configparser.RawConfigParser()
            try:
                parser.read(path, encoding="utf-8")
            except (OSError, configparser.Error) as error:
                raise SetupError(f"cannot read the pip settings in {path}: {error}") from error
            if parser.has_section(section):
                values.update({key.replace("_", "-"): text for key, text in parser.items(section)})
    for name, text in environ.items():
        if name.startswith("PIP_") and text:
            values[name.removeprefix("PIP_").lower().replace("_", "-")] = text
    no_index = values.get("no-index", "").lower() in {"1", "true", "yes", "on"}
    return PipSettings(
        index_url=None if no_index else values.get("index-url", DEFAULT_INDEX_URL),
        extra_index_urls=() if no_index else tuple(values.get("extra-index-url", "").split()),
        find_links=tuple(values.get("find-links", "").split()),
        cert=values.get("cert"),
        proxy=values.get("proxy"),
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
    )


# --- the pip wheel, for machines without ensurepip --------------------------------------------


class _LinkParser(HTMLParser):
    def __init__(self, page_url: str) -> None:
        super().__init__()
        self._base_url = page_url
        self.links: list[Link] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if href is None:
            return
        url = urljoin(self._base_url, href)
        if tag == "base":
            self._base_url = url
        elif tag == "a":
            self.links.append(Link(url=url, file_name=unquote(urlsplit(url).path).split("/")[-1]))


def links_of_page(html: str, page_url: str) -> list[Link]:
    """Files an index page offers; relative addresses are joined to the page's own."""
    parser = _LinkParser(page_url)
    parser.feed(html)
    return parser.links


def download(url: str, settings: PipSettings) -> bytes:
    """Fetch `url` (http, https or file) with the machine's certificate and proxy settings."""
    parts = urlsplit(url)
    headers = {"User-Agent": "gridledger-bootstrap", "Accept": "text/html, */*;q=0.5"}
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode()
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    address = urlunsplit(parts._replace(fragment=""))
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - file: is wanted
    with _opener(parts.hostname, settings).open(request, timeout=DOWNLOAD_TIMEOUT_S) as response:
        body: bytes = response.read(DOWNLOAD_BYTES_MAX + 1)
    if len(body) > DOWNLOAD_BYTES_MAX:
        raise SetupError(f"{url} is larger than {DOWNLOAD_BYTES_MAX} bytes")
    return body


def _opener(host: str | None, settings: PipSettings) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context(cafile=settings.cert)
    if host in settings.trusted_hosts:  # the wheel is checked by its hash whatever the host says
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    if settings.proxy:
        handlers.append(
            urllib.request.ProxyHandler({"http": settings.proxy, "https": settings.proxy})
        )
    return urllib.request.build_opener(*handlers)


def pip_wheel_places(settings: PipSettings) -> list[str]:
    """Addresses that may offer the pip wheel: links folders first, then indexes, as pip does."""
    indexes = [url for url in (settings.index_url, *settings.extra_index_urls) if url]
    return [*settings.find_links, *(url.rstrip("/") + "/pip/" for url in indexes)]


def links_at(place: str, settings: PipSettings) -> list[Link]:
    """Files offered at a folder, an index folder with an `index.html`, or a page."""
    parts = urlsplit(place)
    if parts.scheme not in {"", "file"}:
        return links_of_page(download(place, settings).decode("utf-8", "replace"), place)
    path = Path(unquote(parts.path)).expanduser().resolve()
    page = path / "index.html" if path.is_dir() else path
    if path.is_dir() and not page.exists():
        return [Link(url=file.as_uri(), file_name=file.name) for file in path.iterdir()]
    return links_of_page(page.read_text(encoding="utf-8"), page.as_uri())


def fetch_pip(settings: PipSettings, cache: Path) -> Path:
    """The pinned pip wheel, from the cache or from the machine's package index, hash-checked."""
    wheel = cache / PIP_WHEEL
    if wheel.exists() and _sha256(wheel.read_bytes()) == PIP_SHA256:
        return wheel
    problems = []
    for place in pip_wheel_places(settings):
        try:
            offered = [link for link in links_at(place, settings) if link.file_name == PIP_WHEEL]
            for url in (link.url for link in offered):
                body = download(url, settings)
                if _sha256(body) == PIP_SHA256:
                    cache.mkdir(parents=True, exist_ok=True)
                    wheel.write_bytes(body)
                    return wheel
                problems.append(f"{url}: wrong SHA-256")
        except (OSError, ValueError) as error:
            problems.append(str(error))
    tried = "; ".join(problems) or "no configured place offers it"
    raise SetupError(
        f"cannot fetch {PIP_WHEEL} ({tried}). Set PIP_INDEX_URL to a reachable package index, "
        "or install pip for this Python: apt install python3-venv"
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- making the environment -------------------------------------------------------------------


def environment_stamp(root: Path) -> str:
    """What the environment depends on: lock, project file, Python, and the folder it lives in."""
    inputs = [
        (root / "requirements.lock").read_bytes(),
        (root / "pyproject.toml").read_bytes(),
        sys.version.encode(),
        str(root).encode(),
    ]
    return _sha256(b"".join(_sha256(part).encode() for part in inputs))


def is_ready(root: Path) -> bool:
    """Whether `.venv` was finished for exactly these inputs and its Python still exists."""
    stamp = root / ".venv" / STAMP_NAME
    return (
        stamp.is_file()
        and os.access(root / ".venv" / "bin" / "python", os.X_OK)
        and os.access(root / ".venv" / "bin" / "gridledger", os.X_OK)
        and stamp.read_text(encoding="utf-8") == environment_stamp(root)
    )


def has_ensurepip() -> bool:
    """Debian's python3 has the venv module but no ensurepip until python3-venv is installed."""
    return importlib.util.find_spec("ensurepip") is not None


def install_with_uv(uv: str, root: Path, settings: PipSettings) -> None:
    """Make the environment with uv, handing it pip's settings, which it does not read itself."""
    environment = root / ".venv"
    options = ["--index-strategy", "unsafe-best-match"]
    options += ["--default-index", settings.index_url] if settings.index_url else ["--no-index"]
    for url in settings.extra_index_urls:
        options += ["--index", url]
    for place in settings.find_links:
        options += ["--find-links", place]
    extra = {"SSL_CERT_FILE": settings.cert} if settings.cert else {}
    if settings.proxy:
        extra |= {"HTTPS_PROXY": settings.proxy, "HTTP_PROXY": settings.proxy}
    shutil.rmtree(environment, ignore_errors=True)
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(environment)], extra)
    pip = [uv, "pip", "install", "--quiet", "--python", str(environment / "bin" / "python")]
    _run([*pip, *options, "--require-hashes", "-r", str(root / "requirements.lock")], extra)
    _run([*pip, "--no-deps", "--no-build-isolation", "-e", str(root)], extra)


def install_with_pip(root: Path, settings: PipSettings, cache: Path) -> None:
    """Make or renew the environment with its own pip, or with the fetched wheel."""
    environment = root / ".venv"
    python = environment / "bin" / "python"
    if not _works(python):
        shutil.rmtree(environment, ignore_errors=True)
        venv.create(environment, with_pip=has_ensurepip(), symlinks=True)
    if _works(python, "-m", "pip", "--version"):
        pip = [str(python), "-m", "pip"]
    else:
        pip = [str(python), f"{fetch_pip(settings, cache)}/pip"]
    install = [*pip, "install", "-qq", "--disable-pip-version-check", "--no-input"]
    _run([*install, "--no-compile", "--require-hashes", "-r", str(root / "requirements.lock")])
    _run([*install, "--no-deps", "--no-build-isolation", "-e", str(root)])


def _works(python: Path, *arguments: str) -> bool:
    """Whether the environment's Python starts, is this version, and can do `arguments`."""
    command = [str(python), *(arguments or ("-c", _SAME_VERSION))]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


_SAME_VERSION = f"import sys; sys.exit(sys.version_info[:3] != {tuple(sys.version_info[:3])})"


def _run(command: Sequence[str], extra_environment: Mapping[str, str] | None = None) -> None:
    result = subprocess.run(
        command,
        env={**os.environ, **(extra_environment or {})},
        stdout=sys.stderr,
        check=False,
    )
    if result.returncode != 0:
        raise SetupError(f"`{' '.join(command)}` ended with status {result.returncode}")


@contextmanager
def _exclusive(cache: Path) -> Iterator[None]:
    """Two first runs at once must not build the same environment twice."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "bootstrap.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure_environment(root: Path, *, report: Callable[[str], None]) -> None:
    """Bring `.venv` to the state the lock file describes; does nothing when it is there already.

    Raises `SetupError` with the fix in its text.
    """
    cache = root / ".cache"
    if is_ready(root):
        return
    with _exclusive(cache):
        if is_ready(root):
            return
        started = time.monotonic()
        report("Setting up the Python environment in .venv (once; some 20 seconds) ...")
        settings = read_pip_settings(os.environ, pip_config_files(os.environ))
        _install(root, settings, cache, report)
        stamp = root / ".venv" / STAMP_NAME
        stamp.write_text(environment_stamp(root), encoding="utf-8")
        report(f"The environment is ready after {time.monotonic() - started:.0f} s.")


def _install(
    root: Path, settings: PipSettings, cache: Path, report: Callable[[str], None]
) -> None:
    uv = shutil.which("uv")
    if uv is not None:
        try:
            install_with_uv(uv, root, settings)
        except SetupError as error:
            report(f"uv could not do it ({error}); using pip instead.")
        else:
            return
    install_with_pip(root, settings, cache)


def main() -> int:
    """Entry of `./demo` and `./test`; status 1 and one clear line when it cannot be done."""
    root = Path(__file__).resolve().parent.parent
    try:
        ensure_environment(root, report=lambda line: print(line, file=sys.stderr, flush=True))
    except (SetupError, OSError) as error:
        print(f"gridledger set-up failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`gridledger doctor`: what is missing on this machine or wrong with a network, and the fix."""

import importlib.util
import resource
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from network.layout import NetworkLayout, exposed_keys
from network.plan import Plan, load_plan
from network.plan_table import PlanError
from network.running.processes import ProcessError, is_listening, read_pid_file

PYTHON_MIN = (3, 11)
FREE_DISK_BYTES_MIN = 1_000_000_000
OPEN_FILES_MIN = 1_024

PACKAGES = ("cryptography", "grpc", "google.protobuf", "plyvel", "uvloop")
GATEWAY_PACKAGES = ("fastapi", "uvicorn", "jinja2", "httpx", "aiomqtt", "amqtt")


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"
    """Something optional is missing."""
    FAULT = "FAULT"
    """This will not work until it is mended."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `fix` is a command or a sentence, empty when nothing is to do."""

    level: Level
    subject: str
    fix: str = ""


def check_machine(folder: Path) -> Iterator[Finding]:
    """Python, packages, disk and limits, whatever the network."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < PYTHON_MIN:
        yield Finding(Level.FAULT, f"Python {version}", "use Python 3.11 or newer")
    else:
        yield Finding(Level.OK, f"Python {version}")
    if not __debug__:
        yield Finding(Level.FAULT, "assertions are off", "run without -O and PYTHONOPTIMIZE")
    yield from _check_packages(PACKAGES, Level.FAULT, "the peer")
    yield from _check_packages(GATEWAY_PACKAGES, Level.NOTE, "the gateway")
    if not (_is_installed("micropython_unix") or shutil.which("micropython")):
        fix = "only the demo's firmware meters need it: apt install micropython (Debian 13)"
        yield Finding(Level.NOTE, "no MicroPython", fix)
    free = shutil.disk_usage(folder).free
    if free < FREE_DISK_BYTES_MIN:
        yield Finding(Level.FAULT, f"{free // 10**6} MB free in {folder}", "free at least 1 GB")
    else:
        yield Finding(Level.OK, f"{free // 10**9} GB free in {folder}")
    open_files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if open_files < OPEN_FILES_MIN:
        yield Finding(Level.FAULT, f"{open_files} open files allowed", "ulimit -n 4096")


def _check_packages(names: tuple[str, ...], level: Level, user: str) -> Iterator[Finding]:
    missing = [name for name in names if not _is_installed(name)]
    if missing:
        fix = "run ./demo once, or pip install --require-hashes -r requirements.lock"
        yield Finding(level, f"{user} lacks {', '.join(missing)}", fix)
    else:
        yield Finding(Level.OK, f"packages of {user}")


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def check_plan(path: Path) -> Iterator[Finding]:
    """The plan file, then everything that follows from it."""
    if not path.exists():
        yield Finding(Level.NOTE, f"no plan at {path}", "gridledger network init writes one")
        return
    try:
        plan = load_plan(path)
    except PlanError as error:
        yield Finding(Level.FAULT, f"{path}: {error}", f"mend the field {error.field}")
        return
    yield Finding(Level.OK, f"plan {path}: {len(plan.members)} members")
    layout = NetworkLayout(plan.data_dir)
    if layout.plan_copy.exists():
        yield from _check_files(plan, layout)
    else:
        yield Finding(Level.NOTE, "the network has no keys yet", "gridledger network init")
    yield from check_ports(plan, layout)


def _check_files(plan: Plan, layout: NetworkLayout) -> Iterator[Finding]:
    for key in exposed_keys(layout):
        yield Finding(Level.FAULT, f"others may read {key}", f"chmod 600 {key}")
    needed = [layout.genesis_block, layout.tls_ca_bundle]
    for peer in plan.peers:
        folder = layout.member(peer.id)
        for pair in (folder.credential("peer"), folder.credential("peer-tls")):
            needed += [pair.certificate, pair.key]
    missing = [path for path in needed if not path.exists()]
    for path in missing:
        yield Finding(Level.FAULT, f"{path} is missing", "restore it from your backup")
    if not missing:
        yield Finding(Level.OK, f"keys, certificates and genesis block in {layout.root}")


def check_ports(plan: Plan, layout: NetworkLayout) -> Iterator[Finding]:
    """Every port is either free or held by the peer it belongs to."""
    for peer in plan.peers:
        try:
            process = read_pid_file(layout.member(peer.id).pid_file)
        except ProcessError as error:
            yield Finding(Level.FAULT, str(error), "delete the file")
            continue
        for address in (peer.address, peer.validator_address):
            listening = is_listening(address)
            if process is not None and listening:
                yield Finding(Level.OK, f"{peer.id} listens on {address} ({process.pid})")
            elif process is not None:
                log = layout.member(peer.id).log_file
                yield Finding(Level.FAULT, f"{peer.id} runs, {address} is silent", f"read {log}")
            elif listening:
                yield _port_taken(address, f"members: {peer.id}")
    gateway = f"{plan.gateway_host}:{plan.gateway_port}"
    if is_listening(gateway):
        yield Finding(Level.NOTE, f"the gateway's port {gateway} is in use", "fine if it is ours")


def _port_taken(address: str, where: str) -> Finding:
    holder = port_holder(int(address.rpartition(":")[2]))
    by = f" by process {holder}" if holder else ""
    fix = f"stop it, or change the port in network.toml ({where})"
    return Finding(Level.FAULT, f"{address} is in use{by}", fix)


def port_holder(port: int) -> str | None:
    """`pid name` of the process listening on a local TCP port, where this user may see it."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and any(link in sockets for link in _open_files(folder)):
            return f"{folder.name} ({(folder / 'comm').read_text().strip()})"
    return None


def _open_files(process: Path) -> Iterator[str]:
    """What a process's descriptors point at; nothing for processes of other users."""
    with suppress(PermissionError, FileNotFoundError):
        for descriptor in (process / "fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                yield str(descriptor.readlink())


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text(encoding="ascii").splitlines()[1:] if table.exists() else []:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes


def report(plan_path: Path) -> int:
    """Print every finding with its fix; status 1 when something will not work."""
    findings = [*check_machine(Path.cwd()), *check_plan(plan_path)]
    for finding in findings:
        print(f"{finding.level:>5}  {finding.subject}")
        if finding.fix:
            print(f"       fix: {finding.fix}")
    faults = sum(finding.level is Level.FAULT for finding in findings)
    print(f"{faults} to mend" if faults else "nothing to mend")
    return 1 if faults else 0

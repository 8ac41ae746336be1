"""The plan of a network: one TOML file that says who the members are and where they listen.

`load_plan` reads and checks it; a mistake raises `PlanError`, whose text begins with the name of
the field (`members[2].port: ...`). Everything else in `network/` works from the frozen `Plan`.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ledger.crypto.policy_text import majority_of_peers
from ledger.model.codec_block import BLOCK_TRANSACTIONS_MAX
from ledger.model.config import (
    BLOCK_BYTES_MAX,
    BLOCK_BYTES_MIN,
    BLOCK_INTERVAL_MS_MAX,
    VALIDATORS_MIN,
)

MEMBERS_MIN = VALIDATORS_MIN
MEMBERS_MAX = 64
CONSENTER_ID_MAX = 2**31 - 1
CHAINCODES_MAX = 64
PLAN_BYTES_MAX = 256 * 1024
CERTIFICATE_DAYS_MAX = 7300
DISK_MB_MAX = 2**40

FIRST_PEER_PORT = 7051
FIRST_VALIDATOR_PORT = 7061
GATEWAY_PORT = 8080

_CHANNEL_NAME = re.compile(r"[a-z][a-z0-9.-]{0,248}")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9-]{0,31}")
_MSPID = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,63}")
_CHAINCODE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_CHAINCODE_VERSION = re.compile(r"[A-Za-z0-9_.+-]{1,64}")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_HOST = re.compile(r"[A-Za-z0-9.:-]{1,253}")


class PlanError(ValueError):
    """The plan breaks a rule; the text begins with the field."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True)
class MemberPlan:
    """One member organisation and its validator peer."""

    id: str
    """Folder and command-line name, e.g. `dso`."""
    name: str
    """For people, e.g. `Distribution grid operator`."""
    mspid: str
    """Fabric's membership id, e.g. `DsoMSP`."""
    consenter_id: int
    """Number in the validator set: 1, 2, ... in the order of the plan unless the plan names it."""
    host: str
    """Where others reach the peer; also the name in its TLS certificate."""
    port: int
    """Fabric's gRPC services for clients, over TLS."""
    validator_port: int
    """Consensus with the other validators, over mutual TLS."""

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"{self.host}:{self.port}"

    @property
    def validator_address(self) -> str:
        """`host:port` for the other validators."""
        return f"{self.host}:{self.validator_port}"


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """When a block is full and how soon the next may come."""

    max_transactions: int = 500
    max_bytes: int = 2 * 1024 * 1024
    min_interval_ms: int = 5_000
    """Least time between two blocks; 0: a block as soon as transactions wait."""


@dataclass(frozen=True, slots=True)
class DiskPlan:
    """Free megabytes below which a validator stops something; None: its own limits."""

    transactions_mb: int | None = None
    """No new transactions."""
    votes_mb: int | None = None
    """No votes."""


@dataclass(frozen=True, slots=True)
class ChaincodePlan:
    """A contract every peer runs."""

    name: str
    version: str
    sequence: int
    module: str
    """Where the contract is imported from, e.g. `chaincode.energy`."""
    endorsement_policy: str
    """Fabric's notation, e.g. `OutOf(3, 'CooperativeMSP.peer', ...)`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole network; see `default_plan_text` for the file it is read from."""

    name: str
    """The network's name; signatures are bound to it, so no two networks share one."""
    channel_id: str
    data_dir: Path
    """Keys, blocks and logs; absolute once loaded."""
    certificate_days: int
    gateway_host: str
    gateway_port: int
    blocks: BlockPlan
    members: tuple[MemberPlan, ...]
    chaincodes: tuple[ChaincodePlan, ...]
    disk: DiskPlan = field(default_factory=DiskPlan)

    def member(self, member_id: str) -> MemberPlan:
        """The member of that id; `PlanError` names those there are."""
        for member in self.members:
            if member.id == member_id:
                return member
        known = ", ".join(member.id for member in self.members)
        raise PlanError("members", f"there is no member {member_id!r}; there are {known}")


DEFAULT_MEMBERS = (
    ("cooperative", "Energy cooperative", "CooperativeMSP"),
    ("municipality", "Municipality", "MunicipalityMSP"),
    ("dso", "Distribution grid operator", "DsoMSP"),
    ("utility", "Utility", "UtilityMSP"),
)


_DISK_LINES = """
# [disk]                       # free megabytes below which a validator stops something
# transactions_mb = 1024       # takes no transactions; without it 5 % of the disk or 1024
# votes_mb = 256               # does not vote; without it 1 % of the disk or 256
"""


def default_plan_text(
    *,
    name: str = "gridledger",
    min_interval_ms: int = 5_000,
    first_peer_port: int = FIRST_PEER_PORT,
    first_validator_port: int = FIRST_VALIDATOR_PORT,
    gateway_port: int = GATEWAY_PORT,
    data_dir: str = "network-data",
) -> str:
    """A four-member plan on this machine, with comments; `load_plan` reads it back."""
    members = "".join(
        f"""
[[members]]
id = "{member_id}"
name = "{title}"
mspid = "{mspid}"
host = "127.0.0.1"
port = {first_peer_port + index}
validator_port = {first_validator_port + index}
"""
        for index, (member_id, title, mspid) in enumerate(DEFAULT_MEMBERS)
    )
    return f"""\
# A Gridledger network. `gridledger network init` reads this file once to make keys and the
# genesis block; ports and hosts take effect at the next `gridledger network up`.

[network]
name = "{name}"            # signatures are bound to it
channel = "energy"
data_dir = "{data_dir}"    # beside this file; holds keys, blocks and logs
certificate_days = 825

[gateway]                      # where `gridledger demo` puts the web page; `up` starts no gateway
host = "127.0.0.1"
port = {gateway_port}

[blocks]
max_transactions = 500
max_bytes = 2097152
min_interval_ms = {min_interval_ms}   # 0: a block as soon as transactions wait
{_DISK_LINES}
[[chaincodes]]
name = "energy"
version = "1.0"
sequence = 1
module = "chaincode.energy"
# endorsement_policy = "OutOf(3, 'CooperativeMSP.peer', ...)"; without it, a majority of members
{members}"""


def load_plan(path: Path) -> Plan:
    """Read a plan file; `data_dir` is taken relative to the file. Raises `PlanError`."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        hint = "" if path.exists() else "; `gridledger network init` writes one"
        raise PlanError("plan", f"cannot read {path}: {error.strerror}{hint}") from error
    if len(raw) > PLAN_BYTES_MAX:
        raise PlanError("plan", f"{path} is larger than {PLAN_BYTES_MAX} bytes")
    try:
        table = tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise PlanError("plan", f"{path} is not valid TOML: {error}") from error
    return parse_plan(table, folder=path.resolve().parent)


def parse_plan(table: Mapping[str, object], *, folder: Path) -> Plan:
    """Check a parsed plan and freeze it. Raises `PlanError`."""
    top = _Table("", table)
    network = top.table("network")
    gateway = top.table("gateway", required=False)
    blocks = top.table("blocks", required=False)
    disk = top.table("disk", required=False)
    members = tuple(
        _member(entry, consenter_id=index + 1)
        for index, entry in enumerate(top.tables("members", MEMBERS_MIN, MEMBERS_MAX))
    )
    mspids = [member.mspid for member in members]
    plan = Plan(
        name=network.text("name", _IDENTIFIER),
        channel_id=network.text("channel", _CHANNEL_NAME, default="energy"),
        data_dir=folder / network.text("data_dir", re.compile(r".+"), default="network-data"),
        certificate_days=network.integer("certificate_days", 1, CERTIFICATE_DAYS_MAX, default=825),
        gateway_host=gateway.text("host", _HOST, default="127.0.0.1"),
        gateway_port=gateway.integer("port", 1, 65535, default=GATEWAY_PORT),
        blocks=_blocks(blocks),
        members=members,
        chaincodes=tuple(
            _chaincode(entry, mspids) for entry in top.tables("chaincodes", 1, CHAINCODES_MAX)
        ),
        disk=DiskPlan(
            transactions_mb=disk.optional_integer("transactions_mb", 0, DISK_MB_MAX),
            votes_mb=disk.optional_integer("votes_mb", 0, DISK_MB_MAX),
        ),
    )
    for part in (top, network, gateway, blocks, disk):
        part.refuse_unknown()
    _refuse_repeats(plan)
    return plan


def _member(entry: "_Table", *, consenter_id: int) -> MemberPlan:
    member_id = entry.text("id", _IDENTIFIER)
    member = MemberPlan(
        id=member_id,
        name=entry.text("name", re.compile(r".{1,100}"), default=member_id),
        mspid=entry.text("mspid", _MSPID),
        consenter_id=entry.integer("consenter_id", 1, CONSENTER_ID_MAX, default=consenter_id),
        host=entry.text("host", _HOST, default="127.0.0.1"),
        port=entry.integer("port", 1, 65535),
        validator_port=entry.integer("validator_port", 1, 65535),
    )
    entry.refuse_unknown()
    return member


def _blocks(table: "_Table") -> BlockPlan:
    preset = BlockPlan()
    return BlockPlan(
        max_transactions=table.integer(
            "max_transactions", 1, BLOCK_TRANSACTIONS_MAX, default=preset.max_transactions
        ),
        max_bytes=table.integer(
            "max_bytes", BLOCK_BYTES_MIN, BLOCK_BYTES_MAX, default=preset.max_bytes
        ),
        min_interval_ms=table.integer(
            "min_interval_ms", 0, BLOCK_INTERVAL_MS_MAX, default=preset.min_interval_ms
        ),
    )


def _chaincode(entry: "_Table", mspids: list[str]) -> ChaincodePlan:
    chaincode = ChaincodePlan(
        name=entry.text("name", _CHAINCODE_NAME),
        version=entry.text("version", _CHAINCODE_VERSION),
        sequence=entry.integer("sequence", 1, 2**31 - 1, default=1),
        module=entry.text("module", _MODULE),
        endorsement_policy=entry.text(
            "endorsement_policy", re.compile(r".{1,10000}"), default=majority_of_peers(mspids)
        ),
    )
    entry.refuse_unknown()
    return chaincode


def _refuse_repeats(plan: Plan) -> None:
    """Ids, MSP ids and listening addresses must be told apart."""
    taken: dict[tuple[str, object], str] = {}

    def claim(kind: str, value: object, field: str) -> None:
        if (kind, value) in taken:
            raise PlanError(field, f"{value} is already used by {taken[kind, value]}")
        taken[kind, value] = field

    claim("port", f"{plan.gateway_host}:{plan.gateway_port}", "gateway.port")
    for index, member in enumerate(plan.members):
        field = f"members[{index}]"
        claim("id", member.id, f"{field}.id")
        claim("mspid", member.mspid, f"{field}.mspid")
        claim("validator", member.consenter_id, f"{field}.consenter_id")
        claim("port", member.address, f"{field}.port")
        claim("port", member.validator_address, f"{field}.validator_port")
    for index, chaincode in enumerate(plan.chaincodes):
        claim("chaincode", chaincode.name, f"chaincodes[{index}].name")


class _Table:
    """A TOML table that knows its own name and which of its keys were read."""

    def __init__(self, path: str, table: Mapping[str, object]) -> None:
        self._path = path
        self._table = table
        self._read: set[str] = set()

    def _field(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _get(self, key: str) -> object | None:
        self._read.add(key)
        return self._table.get(key)

    def table(self, key: str, *, required: bool = True) -> "_Table":
        value = self._get(key)
        if value is None and not required:
            value = {}
        if not isinstance(value, dict):
            raise PlanError(self._field(key), f"a table [{key}] is needed")
        return _Table(self._field(key), value)

    def tables(self, key: str, least: int, most: int) -> list["_Table"]:
        value = self._get(key)
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise PlanError(self._field(key), f"[[{key}]] tables are needed")
        if not least <= len(value) <= most:
            raise PlanError(self._field(key), f"{least} to {most} are needed, got {len(value)}")
        return [_Table(f"{self._field(key)}[{index}]", entry) for index, entry in enumerate(value)]

    def text(self, key: str, pattern: re.Pattern[str], *, default: str | None = None) -> str:
        value = self._get(key)
        if value is None:
            value = default
        if value is None:
            raise PlanError(self._field(key), "is missing")
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            raise PlanError(
                self._field(key), f"must be text like {pattern.pattern}, got {value!r}"
            )
        return value

    def optional_integer(self, key: str, least: int, most: int) -> int | None:
        """A whole number if the key is there."""
        return self.integer(key, least, most) if key in self._table else None

    def integer(self, key: str, least: int, most: int, *, default: int | None = None) -> int:
        value = self._get(key)
        if value is None:
            value = default
        if value is None:
            raise PlanError(self._field(key), "is missing")
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise PlanError(
                self._field(key), f"must be a whole number from {least} to {most}, got {value!r}"
            )
        return value

    def refuse_unknown(self) -> None:
        unknown = sorted(set(self._table) - self._read)
        if unknown:
            raise PlanError(self._field(unknown[0]), "is not a known field")

"""The plan of a network: one TOML file that says who the members are and where they listen.

`load_plan` reads and checks it; a mistake raises `PlanError`, whose text begins with the name of
the field (`members[2].port: ...`). Everything else in `network/` works from the frozen `Plan`.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ledger.crypto.collections_text import parse_collections
from ledger.crypto.policy_text import majority_of_peers
from ledger.errors import InvalidMessage
from ledger.model.codec_block import BLOCK_TRANSACTIONS_MAX
from ledger.model.config import (
    BLOCK_BYTES_MAX,
    BLOCK_BYTES_MIN,
    BLOCK_INTERVAL_MS_MAX,
    VALIDATORS_MIN,
)
from network.plan_table import PlanError, PlanTable

MEMBERS_MAX = 64
PEERS_PER_MEMBER_MAX = 16
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerPlan:
    """One validator peer."""

    id: str
    """Folder and command-line name, e.g. `dso`."""
    member_id: str
    """The member it belongs to; a member's first peer has the member's own id."""
    mspid: str
    """Fabric's membership id of the member, e.g. `DsoMSP`."""
    consenter_id: int
    """Number in the validator set: 1, 2, ... in the order of the plan unless the plan names it."""
    host: str
    """Where the peer listens and this machine and other validators reach it."""
    port: int
    """Fabric's gRPC services for clients, over TLS."""
    validator_port: int
    """Consensus with the other validators, over mutual TLS."""
    external_host: str
    """What clients elsewhere call the peer: in the channel and, as `host`, in its certificate."""

    @property
    def address(self) -> str:
        """`host:port` for clients of this machine."""
        return f"{self.host}:{self.port}"

    @property
    def external_address(self) -> str:
        """`host:port` as the channel tells clients."""
        return f"{self.external_host}:{self.port}"

    @property
    def validator_address(self) -> str:
        """`host:port` for the other validators."""
        return f"{self.host}:{self.validator_port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPlan(PeerPlan):
    """One member organisation: its first peer, and what further ones it has."""

    name: str
    """For people, e.g. `Distribution grid operator`."""
    authority_subject: str = ""
    """Name of its enrolment authority (RFC 4514); empty: one made of `mspid` and `name`."""
    further_peers: tuple[PeerPlan, ...] = ()

    @property
    def peers(self) -> tuple[PeerPlan, ...]:
        """All its peers, the first one first."""
        return (self, *self.further_peers)


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
    collections: str = ""
    """Private data collections in Fabric's JSON (`ledger.crypto.collections_text`)."""


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

    @property
    def peers(self) -> tuple[PeerPlan, ...]:
        """Every validator of every member."""
        return tuple(peer for member in self.members for peer in member.peers)

    def member(self, member_id: str) -> MemberPlan:
        """The member of that id; `PlanError` names those there are."""
        for member in self.members:
            if member.id == member_id:
                return member
        known = ", ".join(member.id for member in self.members)
        raise PlanError("members", f"there is no member {member_id!r}; there are {known}")

    def peer(self, peer_id: str) -> PeerPlan:
        """The peer of that id; `PlanError` names those there are."""
        for peer in self.peers:
            if peer.id == peer_id:
                return peer
        known = ", ".join(peer.id for peer in self.peers)
        raise PlanError("members", f"there is no peer {peer_id!r}; there are {known}")


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


_COLLECTION_LINES = """\
# names and e-mail addresses: kept by two members, so that a copy is left, written by the first
collections = '''[{"name": "persons", "maxPeerCount": 1,
  "policy": "OR('CooperativeMSP.member', 'DsoMSP.member')",
  "memberOnlyRead": true, "memberOnlyWrite": true,
  "endorsementPolicy": {"signaturePolicy": "OR('CooperativeMSP.peer')"}}]'''
"""


_FURTHER_LINES = """
# external_host = "grid.example"  # what clients elsewhere call the peer; without it, `host`
# authority_subject = "CN=ca.grid.example,O=Grid"   # without it, made of mspid and name
# consenter_id = 4                # its number among the validators; without it, its place here
# [[members.peers]]               # one more peer of the member above
# id = "utility-second"
# port = 9051
# validator_port = 9061
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
{_COLLECTION_LINES}{members}{_FURTHER_LINES}"""


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
    top = PlanTable("", table)
    network = top.table("network")
    gateway = top.table("gateway", required=False)
    blocks = top.table("blocks", required=False)
    disk = top.table("disk", required=False)
    members = _members(top)
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
            _chaincode(entry, mspids) for entry in top.tables("chaincodes", 0, CHAINCODES_MAX)
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


def _members(top: PlanTable) -> tuple[MemberPlan, ...]:
    """The members; consenter ids that are not named count all peers in the order of the plan."""
    members: list[MemberPlan] = []
    peers = 0
    for entry in top.tables("members", 1, MEMBERS_MAX):
        members.append(_member(entry, peers_before=peers))
        peers += len(members[-1].peers)
    if peers < VALIDATORS_MIN:
        raise PlanError("members", f"{VALIDATORS_MIN} or more peers are needed, got {peers}")
    return tuple(members)


def _member(entry: PlanTable, *, peers_before: int) -> MemberPlan:
    member_id, mspid = entry.text("id", _IDENTIFIER), entry.text("mspid", _MSPID)
    name = entry.text("name", re.compile(r".{1,100}"), default=member_id)
    subject = entry.text("authority_subject", re.compile(r".{0,1000}"), default="")
    first = _peer(entry, member_id, mspid, consenter_id=peers_before + 1)
    further = []
    for number, peer in enumerate(
        entry.tables("peers", 0, PEERS_PER_MEMBER_MAX), peers_before + 2
    ):
        further.append(_peer(peer, member_id, mspid, consenter_id=number))
        peer.refuse_unknown()
    entry.refuse_unknown()
    return MemberPlan(
        name=name, authority_subject=subject, further_peers=tuple(further), **asdict(first)
    )


def _peer(entry: PlanTable, member_id: str, mspid: str, *, consenter_id: int) -> PeerPlan:
    host = entry.text("host", _HOST, default="127.0.0.1")
    return PeerPlan(
        id=entry.text("id", _IDENTIFIER),
        member_id=member_id,
        mspid=mspid,
        consenter_id=entry.integer("consenter_id", 1, CONSENTER_ID_MAX, default=consenter_id),
        host=host,
        port=entry.integer("port", 1, 65535),
        validator_port=entry.integer("validator_port", 1, 65535),
        external_host=entry.text("external_host", _HOST, default=host),
    )


def _blocks(table: PlanTable) -> BlockPlan:
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


def _chaincode(entry: PlanTable, mspids: list[str]) -> ChaincodePlan:
    chaincode = ChaincodePlan(
        name=entry.text("name", _CHAINCODE_NAME),
        version=entry.text("version", _CHAINCODE_VERSION),
        sequence=entry.integer("sequence", 1, 2**31 - 1, default=1),
        module=entry.text("module", _MODULE),
        endorsement_policy=entry.text(
            "endorsement_policy", re.compile(r".{1,10000}"), default=majority_of_peers(mspids)
        ),
        collections=_collections(entry),
    )
    entry.refuse_unknown()
    return chaincode


def _collections(entry: PlanTable) -> str:
    text = entry.text("collections", re.compile(r"(?s).*"), default="")
    try:
        parse_collections(text)
    except InvalidMessage as error:
        raise entry.problem("collections", error.detail) from error
    return text


def _refuse_repeats(plan: Plan) -> None:
    """Ids, MSP ids and listening addresses must be told apart."""
    taken: dict[tuple[str, object], str] = {}

    def claim(kind: str, value: object, field: str) -> None:
        if (kind, value) in taken:
            raise PlanError(field, f"{value} is already used by {taken[kind, value]}")
        taken[kind, value] = field

    claim("port", f"{plan.gateway_host}:{plan.gateway_port}", "gateway.port")
    for index, member in enumerate(plan.members):
        claim("mspid", member.mspid, f"members[{index}].mspid")
        _claim_peer(claim, member, f"members[{index}]")
        for number, peer in enumerate(member.further_peers):
            _claim_peer(claim, peer, f"members[{index}].peers[{number}]")
    for index, chaincode in enumerate(plan.chaincodes):
        claim("chaincode", chaincode.name, f"chaincodes[{index}].name")


def _claim_peer(claim: Callable[[str, object, str], None], peer: PeerPlan, field: str) -> None:
    claim("id", peer.id, f"{field}.id")
    claim("validator", peer.consenter_id, f"{field}.consenter_id")
    claim("port", peer.address, f"{field}.port")
    claim("port", peer.validator_address, f"{field}.validator_port")

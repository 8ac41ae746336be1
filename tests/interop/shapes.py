"""Networks as other projects' suites expect them: who has which peers, names and ports."""

from dataclasses import dataclass
from pathlib import Path

CHANNEL = "mychannel"
VALIDATOR_PORTS = 5000
"""What lies between a peer's port for clients and the one for other validators."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """One member: `Org1MSP`, `org1.example.com` and where its peers listen."""

    number: int
    peer_ports: tuple[int, ...]

    @property
    def id(self) -> str:
        """Its id in the plan, and its first peer's."""
        return f"org{self.number}"

    @property
    def mspid(self) -> str:
        return f"Org{self.number}MSP"

    @property
    def domain(self) -> str:
        return f"org{self.number}.example.com"

    @property
    def authority_subject(self) -> str:
        """The name that Fabric's sample networks give an organisation's authority."""
        place = "L=Hursley,ST=Hampshire,C=UK" if self.number == 2 else "L=Durham,ST=NC,C=US"
        return f"CN=ca.{self.domain},O={self.domain},{place}"

    def peer_id(self, index: int) -> str:
        """A peer's id in the plan."""
        return self.id if index == 0 else f"{self.id}-peer{index}"

    def peer_name(self, index: int) -> str:
        """The name clients know it by."""
        return f"peer{index}.{self.domain}"


SCENARIO = (
    Organisation(1, (7051, 9051)),
    Organisation(2, (8051, 10051)),
    Organisation(3, (11051,)),
)
"""The client scenarios': five peers of three organisations."""

TEST_NETWORK = (Organisation(1, (7051, 7151)), Organisation(2, (9051, 9151)))
"""Fabric's test network has a peer of each of two; the second ones make four validators."""


def plan_text(organisations: tuple[Organisation, ...], *, name: str) -> str:
    """The plan of such a network; its contracts come through the lifecycle."""
    head = f"""\
[network]
name = "{name}"
channel = "{CHANNEL}"
data_dir = "network-data"

[gateway]
port = 18080

[blocks]
min_interval_ms = 0
"""
    return head + "".join(_member(one) for one in organisations)


def _member(one: Organisation) -> str:
    first, *further = (
        f"""\
id = "{one.peer_id(index)}"
external_host = "{one.peer_name(index)}"
port = {port}
validator_port = {port + VALIDATOR_PORTS}
"""
        for index, port in enumerate(one.peer_ports)
    )
    return f"""
[[members]]
mspid = "{one.mspid}"
name = "{one.domain}"
authority_subject = "{one.authority_subject}"
{first}""" + "".join(f"\n[[members.peers]]\n{peer}" for peer in further)


def write_plan(folder: Path, organisations: tuple[Organisation, ...], *, name: str) -> Path:
    """Write `network.toml` into the folder, which is made; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "network.toml"
    path.write_text(plan_text(organisations, name=name), encoding="utf-8")
    return path

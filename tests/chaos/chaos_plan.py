"""What a chaos run does, from a small TOML file; the network's own plan is written from it."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from network.plan import DEFAULT_MEMBERS

MEMBERS = (
    *DEFAULT_MEMBERS,
    ("school", "School", "SchoolMSP"),
    ("clinic", "Clinic", "ClinicMSP"),
    ("housing", "Housing association", "HousingMSP"),
)
VALIDATORS_MIN, VALIDATORS_MAX = 4, len(MEMBERS)


@dataclass(frozen=True, slots=True)
class Weights:
    """How often each perturbation is drawn, relative to the others."""

    kill: int = 0
    """SIGKILL, then started again."""
    pause: int = 0
    """SIGSTOP, and SIGCONT after the perturbation's time."""
    cut: int = 0
    """No byte to or from the others."""
    mute: int = 0
    """Hears the others, is not heard."""
    slow: int = 0
    """Every byte to and from the others is late."""
    restart: int = 0
    """SIGTERM, then started again."""
    wipe: int = 0
    """Killed, its data folder deleted, started again; one validator at a time."""
    upgrade: int = 0
    """SIGTERM, then started from another tree or under another interpreter setting."""


@dataclass(frozen=True, slots=True)
class ChaosPlan:
    """One network and what happens to it."""

    name: str
    validators: int
    min_interval_ms: int
    """Least time between two blocks."""
    perturbed_at_once_max: int
    """Validators that are perturbed at the same time; more than f stops progress for a while."""
    lasts_s: float
    """How long a pause, cut, mute or slow phase lasts."""
    rest_s: float
    """Between two perturbations."""
    clients: int
    """Transactions in flight."""
    weights: Weights

    @property
    def members(self) -> tuple[tuple[str, str, str], ...]:
        """(id, name, MSP id) of each."""
        return MEMBERS[: self.validators]


def load_chaos_plan(path: Path) -> ChaosPlan:
    """Read a plan; ValueError or TypeError names what is wrong with it."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    weights = Weights(**table.pop("perturbations"))
    plan = ChaosPlan(name=path.stem, weights=weights, **table)
    if not VALIDATORS_MIN <= plan.validators <= VALIDATORS_MAX:
        raise ValueError(f"validators: {VALIDATORS_MIN} to {VALIDATORS_MAX}")
    if not 1 <= plan.perturbed_at_once_max <= plan.validators:
        raise ValueError("perturbed_at_once_max: 1 to all of them")
    if not any(getattr(weights, field.name) for field in fields(weights)):
        raise ValueError("perturbations: all weights are 0")
    return plan


def network_plan_text(plan: ChaosPlan, *, hosts: list[str], first_port: int) -> str:
    """The network.toml of such a network; one validator on each host."""
    members = "".join(
        f"""
[[members]]
id = "{member_id}"
name = "{title}"
mspid = "{mspid}"
host = "{host}"
port = {first_port + 2 * index}
validator_port = {first_port + 2 * index + 1}
"""
        for index, ((member_id, title, mspid), host) in enumerate(
            zip(plan.members, hosts, strict=True)
        )
    )
    return f"""\
[network]
name = "chaos-{plan.name}"

[gateway]
port = {first_port + 2 * len(hosts)}

[blocks]
min_interval_ms = {plan.min_interval_ms}

[[chaincodes]]
name = "energy"
version = "1.0"
module = "chaincode.energy"
{members}"""

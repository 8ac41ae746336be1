"""`gridledger study network`: sizes of records and delays for 2 to 7 houses, beside the source's.

Row E134. Sizes are of what is really sent; delays are measured on emulated links where the machine
allows network namespaces, and left out, with a word, where it does not.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ledger.client.proposals import new_proposal
from network.certificates.authority import MemberAuthority
from network.progress import progress
from network.study import links as study_links
from network.study.links import RATES, Round
from network.study.plot import svg

HOUSES = range(2, 8)
ROUNDS = 40
SIGNATURE_BYTES = 71
SOURCE_BYTES = {
    "order of a house (P2P trade)": 52,
    "order and data for a coordinator": 116,
    "all of a house (HEMS)": 324,
    "meter": 40,
    "PV": 40,
    "battery": 32,
}
SOURCE_MONITORING_MS = {
    "802.11b": (0.289, 13.484, 22.298, 25.281, 27.128, 28.900),
    "802.11g": (0.064, 0.203, 0.416, 6.914, 15.127, 19.745),
}
"""001:1223-1229, for two to seven prosumers."""
EXIT_FAILED = 1


@dataclass(frozen=True, slots=True)
class Delays:
    """One link and number of houses."""

    link: str
    houses: int
    decentralised: Round
    centralised: Round


def main(arguments: Sequence[str]) -> int:
    """Print both tables; write the plot where asked."""
    parser = argparse.ArgumentParser(prog="gridledger study", description=__doc__)
    parser.add_argument("subject", choices=["network"])
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the delays as SVG")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"({ROUNDS})")
    parser.add_argument("--measure-into", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure_into is not None:
        found = [asdict(one) for one in measure(options.rounds)]
        options.measure_into.write_text(json.dumps(found), encoding="ascii")
        return 0
    sys.stdout.write(size_table() + "\n")
    if not study_links.are_allowed():
        sys.stdout.write("\ndelays: not measured; no network namespaces or no tc here\n")
        return 0
    with progress("measuring delays on emulated links"):
        delays = _measured_inside(options.rounds)
    sys.stdout.write(delay_table(delays) + "\n")
    if options.plot is not None:
        options.plot.write_text(plot(delays), encoding="utf-8")
        sys.stdout.write(f"\nplot: {options.plot}" + "\n")
    return 0


def sizes() -> dict[str, int]:
    """Bytes of each record as encoded here: JSON as published, the order as a signed proposal."""
    t_ms = 1_767_225_600_000
    reading = {
        "v": 1,
        "m": "meter-01",
        "seq": 1_000,
        "t_end": t_ms,
        "imp_wh": 123_456,
        "exp_wh": 65_432,
        "q": "measured",
        "kid": "0" * 16,
        "sig": "M" * 96,
    }
    values = {"v": 1, "d": "meter-01", "t": t_ms, "u_mv": 230_120, "i_ma": 1_250}
    measured = values | {"p_mw": 287_650, "flags": []}
    charge = {"v": 1, "b": "battery-1", "t": t_ms, "stored_wh": 6_250}
    order = ["market:place_offer", "2026-01-15T10", "pv-01", "2500", "54000"]
    meter, pv, battery = (_json(one) for one in (reading, measured, charge))
    arguments = sum(len(part) for part in order)
    return {
        "order of a house (P2P trade)": arguments,
        "  the same, signed and ready to endorse": _proposal(order) + SIGNATURE_BYTES,
        "order and data for a coordinator": arguments + meter + pv + battery,
        "all of a house (HEMS)": meter + 4 * pv + battery,
        "meter": meter,
        "  of it, without signature and key id": meter - 96 - 16 - len(',"kid":"","sig":""'),
        "PV": pv,
        "battery": battery,
    }


def size_table() -> str:
    """Our bytes beside the source's; what a signed order adds to 52 is named."""
    own = sizes()
    lines = ["record                                       here   source"]
    for name, size in own.items():
        source = SOURCE_BYTES.get(name)
        lines.append(f"{name:<42} {size:>6} {'' if source is None else source:>8}")
    signed = own["  the same, signed and ready to endorse"]
    lines.append(f"\noverhead of a signed order over the source's 52 bytes: {signed - 52}")
    return "\n".join(lines)


def measure(rounds: int) -> list[Delays]:
    """In a namespace already: every link, every number of houses."""
    own = sizes()
    order = own["  the same, signed and ready to endorse"]
    everything = own["order and data for a coordinator"] + order
    found = []
    for link, rate in RATES.items():
        for count in HOUSES:
            with study_links.houses(count, rate) as sockets:
                study_links.decentralised(sockets, order, 2)  # addresses are resolved first
                study_links.centralised(sockets, everything, 2)
                found.append(
                    Delays(
                        link,
                        count,
                        study_links.decentralised(sockets, order, rounds),
                        study_links.centralised(sockets, everything, rounds),
                    )
                )
    return found


def delay_table(delays: Sequence[Delays]) -> str:
    """Milliseconds per link and number of houses."""
    lines = ["", "delay, ms        houses  decentralised  centralised  source (monitoring)"]
    for one in delays:
        source = SOURCE_MONITORING_MS.get(one.link)
        known = f"{source[one.houses - HOUSES[0]]:>12.3f}" if source else ""
        lines.append(
            f"{one.link:<16} {one.houses:>6} {one.decentralised.mean_us / 1000:>14.3f}"
            f" {one.centralised.mean_us / 1000:>12.3f} {known}"
        )
    lines.append("means; centralised is there and back. Links are as fast as the standard;")
    lines.append("stations of a radio cell do not wait for each other here, as they do there.")
    return "\n".join(lines)


def plot(delays: Sequence[Delays]) -> str:
    """One line per link and kind of market, as SVG."""
    curves = {}
    for link in RATES:
        own = [one for one in delays if one.link == link]
        curves[f"{link}, decentralised"] = [one.decentralised.mean_us / 1000 for one in own]
        curves[f"{link}, centralised"] = [one.centralised.mean_us / 1000 for one in own]
    return svg(list(HOUSES), curves, x_label="houses", y_label="delay, ms")


def _measured_inside(rounds: int) -> list[Delays]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "delays.json"
        command = [sys.executable, "-m", "network.cli", "study", "network"]
        command += ["--rounds", str(rounds), "--measure-into", str(target)]
        status = study_links.inside(command)
        if status != 0:
            raise SystemExit(status)
        content = json.loads(target.read_text(encoding="ascii"))
    return [
        Delays(
            one["link"],
            one["houses"],
            Round(**one["decentralised"]),
            Round(**one["centralised"]),
        )
        for one in content
    ]


def _json(record: dict[str, object]) -> int:
    return len(json.dumps(record, separators=(",", ":")))


def _proposal(arguments: Sequence[str]) -> int:
    """A household's proposal as the gateway gets it: certificate, nonce, arguments."""
    now = datetime.now(tz=UTC)
    authority = MemberAuthority.create("CoopMSP", "Cooperative", now=now)
    pair = authority.issue_client(
        "VAL-0001-A", {"role": "prosumer", "idgrid": "VAL-0001"}, now=now
    )
    function, *rest = arguments
    proposal = new_proposal(
        channel_id="energy",
        chaincode="energy",
        function=function,
        args=rest,
        creator=authority.signing_identity(pair).serialized,
        timestamp_ns=0,
    )
    return len(proposal.raw)

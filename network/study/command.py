"""`gridledger study network`: sizes of records and delays for 2 to 7 houses, beside the source's.

Row E134. Sizes are of what is really sent; delays are measured on emulated links where the machine
allows network namespaces, and left out, with a word, where it does not.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from network.progress import progress
from network.study import links as study_links
from network.study.links import RATES, Round
from network.study.plot import svg
from network.study.records import (
    BATTERY,
    EVERYTHING,
    HOUSE,
    METER,
    ORDER,
    PV,
    SIGNED_ORDER,
    size_table,
    sizes,
)
from network.study.source_tables import HOME_MS, MONITORING_MS, TRADING_MS

HOUSES = range(2, 8)
ROUNDS = 40
HOME_RECORDS = (METER, PV, BATTERY, HOUSE)
PLOTTED = ("802.11b", "802.11g")


@dataclass(frozen=True, slots=True)
class Home:
    """One link of a home network: a device's record to the home's energy management."""

    link: str
    records: tuple[Round, ...]
    """In the order of HOME_RECORDS."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """One link and number of houses."""

    link: str
    houses: int
    monitoring: Round
    decentralised: Round
    centralised: Round


@dataclass(frozen=True, slots=True)
class Delays:
    """All that is measured."""

    homes: list[Home]
    neighbourhoods: list[Neighbourhood]


def main(arguments: Sequence[str]) -> int:
    """Print the tables; write the plot where asked."""
    parser = argparse.ArgumentParser(prog="gridledger study", description=__doc__)
    parser.add_argument("subject", choices=["network"])
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the delays as SVG")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"({ROUNDS})")
    parser.add_argument("--measure-into", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure_into is not None:
        found = asdict(measure(options.rounds))
        options.measure_into.write_text(json.dumps(found), encoding="ascii")
        return 0
    sys.stdout.write(size_table(sizes()) + "\n")
    if not study_links.are_allowed():
        sys.stdout.write("\ndelays: not measured; no network namespaces or no tc here\n")
        return 0
    with progress("measuring delays on emulated links"):
        delays = _measured_inside(options.rounds)
    sys.stdout.write(delay_tables(delays) + "\n")
    if options.plot is not None:
        options.plot.write_text(plot(delays), encoding="utf-8")
        sys.stdout.write(f"\nplot: {options.plot}" + "\n")
    return 0


def measure(rounds: int) -> Delays:
    """In a namespace already: every link; a home, then every number of houses."""
    own = sizes()
    order = own[SIGNED_ORDER]
    everything = own[EVERYTHING] - own[ORDER] + order
    homes, neighbourhoods = [], []
    for link, rate in RATES.items():
        with study_links.houses(1, rate) as sockets:
            study_links.reported(sockets, own[METER], 2)  # addresses are resolved first
            records = (study_links.reported(sockets, own[name], rounds) for name in HOME_RECORDS)
            homes.append(Home(link, tuple(records)))
        for count in HOUSES:
            with study_links.houses(count, rate) as sockets:
                study_links.decentralised(sockets, order, 2)
                study_links.centralised(sockets, everything, 2)
                found = Neighbourhood(
                    link,
                    count,
                    study_links.reported(sockets, own[HOUSE], rounds),
                    study_links.decentralised(sockets, order, rounds),
                    study_links.centralised(sockets, everything, rounds),
                )
            neighbourhoods.append(found)
    return Delays(homes, neighbourhoods)


def delay_tables(delays: Delays) -> str:
    """Milliseconds, each table of the source's beside what was measured."""
    lines = ["", "home, ms: delay/jitter here, then the source's (Table 5.2)"]
    lines.append(f"{'':<10}{'meter':>26}{'PV':>26}{'battery':>26}{'all of a house':>26}")
    for home in delays.homes:
        pairs = zip(home.records, HOME_MS[home.link], strict=True)
        cells = (
            f"{_ms(here.mean_us)}/{_ms(here.jitter_us)} {mean:.3f}/{jitter:.3f}"
            for here, (mean, jitter) in pairs
        )
        lines.append(f"{home.link:<10}" + "".join(f"{cell:>26}" for cell in cells))
    lines += ["", "neighbourhood, ms: mean here, then the source's (Tables 5.3 and 5.4)"]
    lines.append(
        f"{'':<10} houses   monitoring   source    trading   source   by a coordinator and back"
    )
    for one in delays.neighbourhoods:
        lines.append(
            f"{one.link:<10} {one.houses:>6} {_ms(one.monitoring.mean_us):>12}"
            f" {_source(MONITORING_MS, one)} {_ms(one.decentralised.mean_us):>10}"
            f" {_source(TRADING_MS, one)} {_ms(one.centralised.mean_us):>28}"
        )
    lines.append("Links are as fast as the standard says, and the first packet leaves at once;")
    lines.append("stations of a radio cell do not wait for each other here, as they do there.")
    return "\n".join(lines)


def plot(delays: Delays) -> str:
    """Trading on the two oldest radios: between houses, by a coordinator, and the source's."""
    curves: dict[str, Sequence[float]] = {}
    for link in PLOTTED:
        own = [one for one in delays.neighbourhoods if one.link == link]
        curves[f"{link}, decentralised"] = [one.decentralised.mean_us / 1000 for one in own]
        curves[f"{link}, centralised"] = [one.centralised.mean_us / 1000 for one in own]
        curves[f"{link}, source"] = TRADING_MS[link]
    return svg(list(HOUSES), curves, x_label="houses", y_label="delay of an order, ms")


def _ms(microseconds: int) -> str:
    return f"{microseconds / 1000:.3f}"


def _source(table: Mapping[str, Sequence[float]], one: Neighbourhood) -> str:
    values = table.get(one.link)
    return f"{values[one.houses - HOUSES[0]]:>8.3f}" if values else " " * 8


def _measured_inside(rounds: int) -> Delays:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "delays.json"
        command = [sys.executable, "-m", "network.cli", "study", "network"]
        command += ["--rounds", str(rounds), "--measure-into", str(target)]
        status = study_links.inside(command)
        if status != 0:
            raise SystemExit(status)
        content = json.loads(target.read_text(encoding="ascii"))
    homes = [
        Home(one["link"], tuple(Round(**found) for found in one["records"]))
        for one in content["homes"]
    ]
    return Delays(homes, [_neighbourhood(one) for one in content["neighbourhoods"]])


def _neighbourhood(raw: dict[str, Any]) -> Neighbourhood:
    return Neighbourhood(
        raw["link"],
        raw["houses"],
        Round(**raw["monitoring"]),
        Round(**raw["decentralised"]),
        Round(**raw["centralised"]),
    )

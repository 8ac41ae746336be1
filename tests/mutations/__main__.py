"""`python -m tests.mutations`: plant every known mistake and see that its named check catches it.

Without options it prints the table. `--search` looks for each mistake from seed 0 on, whatever was
recorded; `--measure` does the same and keeps what it finds in tests/mutations/found.toml.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.mutations.catalogue import MUTATIONS
from tests.mutations.mutation import Mutation
from tests.mutations.replay import judge_all, write_json
from tests.mutations.search import hunt, read_found, write_found
from tests.mutations.table import catalogue_lines, search_line, table_lines
from tests.support.command_line import positive_count, positive_seconds


def main(arguments: Sequence[str]) -> int:
    """Status 0 when every mistake asked for is caught."""
    options = _parser().parse_args(arguments)
    mutations = [m for m in MUTATIONS if not options.name or m.number in options.name]
    if unknown := set(options.name or ()) - {mutation.number for mutation in mutations}:
        _say(f"no such mistake: {', '.join(sorted(unknown))}; --list shows all")
        return 2
    logging.disable(logging.CRITICAL)  # what planted mistakes make a node say
    if options.list:
        _say("\n".join(catalogue_lines(mutations)))
        return 0
    if options.search or options.measure:
        return _search(mutations, options)
    judged = judge_all(mutations, every_seed=options.every_seed)
    if options.json is not None:
        write_json(options.json, judged)
    _say("\n".join(table_lines(judged)))
    return 0 if all(one.is_killed for one in judged) else 1


def _search(mutations: Sequence[Mutation], options: argparse.Namespace) -> int:
    found = read_found()
    for mutation in mutations:
        if mutation.search is None:
            continue
        seeds = range(options.schedules)
        found[mutation.number] = hunt(mutation, seeds, seconds_max=options.seconds)
        _say(
            search_line(mutation, found[mutation.number]),
        )
        if options.measure:
            write_found({m.number: found[m.number] for m in MUTATIONS if m.number in found})
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--name", nargs="+", metavar="M01", help="only these")
    parser.add_argument("--list", action="store_true", help="show the catalogue and run nothing")
    parser.add_argument("--every-seed", action="store_true", help="also replay the slow finds")
    parser.add_argument("--search", action="store_true", help="search from scratch")
    parser.add_argument("--measure", action="store_true", help="search and rewrite found.toml")
    parser.add_argument("--schedules", type=positive_count, default=5_000, help="for each")
    parser.add_argument("--seconds", type=positive_seconds, default=120, help="for each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the judgements there")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

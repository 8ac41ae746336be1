"""`gridledger policy`: what a country's law makes of a community's market, as one TOML file.

A file names the country and what every listing there has to respect; the community manager sends
its `[listing]` table to the ledger once (`listings:set_defaults`), and every listing opened from
then on pins it. The files in `network/planning/policies` are starting points, not legal advice.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaincode.energy.market.listing_terms import DEFAULTABLE

POLICY_FOLDER = Path(__file__).parent / "policies"
POLICY_BYTES_MAX = 64 * 1024
EXIT_BAD_FILE = 2
_MEMBERS = frozenset({"country", "title", "basis", "listing"})
DESCRIPTION = """\
Checks a country's policy file and shows what to send to the ledger: NAME is one of the shipped
ones, or the path of a TOML file. Without NAME they are listed."""


class BadPolicy(Exception):  # noqa: N818 - the field's word
    """The file breaks a rule; the text is one line."""


@dataclass(frozen=True, slots=True)
class CountryPolicy:
    """`listing` are parameters of `listings:set_defaults`; `basis` is where they come from."""

    country: str
    title: str
    basis: str
    listing: Mapping[str, Any]

    @property
    def allows_direct_trade(self) -> bool:
        """Whether members may trade with each other."""
        return bool(self.listing.get("allows_direct_trade", True))


def parse_policy(text: str) -> CountryPolicy:
    """Read a policy strictly; raises `BadPolicy` for what is missing, unknown or of another type.

    Values are checked by the ledger when they are sent; here only that the market knows them.
    """
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadPolicy(f"not TOML: {error}") from None
    if unknown := sorted(set(found) - _MEMBERS):
        raise BadPolicy(f"unknown entry {unknown[0]!r}")
    texts = {name: found.get(name) for name in ("country", "title", "basis")}
    for name, value in texts.items():
        if not isinstance(value, str) or not value:
            raise BadPolicy(f"{name} must be a text")
    listing = found.get("listing", {})
    if not isinstance(listing, dict):
        raise BadPolicy("listing must be a table")
    if unknown := sorted(set(listing) - DEFAULTABLE):
        raise BadPolicy(f"a listing has no {unknown[0]!r}")
    if not isinstance(listing.get("allows_direct_trade", True), bool):
        raise BadPolicy("allows_direct_trade must be true or false")
    return CountryPolicy(**{name: str(value) for name, value in texts.items()}, listing=listing)


def load_policy(name: str) -> CountryPolicy:
    """A shipped policy by its name, or the file of this path; raises `BadPolicy`."""
    shipped = POLICY_FOLDER / f"{name}.toml"
    path = shipped if name in shipped_policies() else Path(name)
    try:
        if path.stat().st_size > POLICY_BYTES_MAX:
            raise BadPolicy(f"{path} is larger than {POLICY_BYTES_MAX} bytes")
        return parse_policy(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadPolicy(f"{path} cannot be read: {error}") from None


def shipped_policies() -> list[str]:
    """Names of the policies in `network/planning/policies`."""
    return sorted(path.stem for path in POLICY_FOLDER.glob("*.toml"))


def main(arguments: Sequence[str]) -> int:
    """Print a policy and the call that puts it on the ledger."""
    parser = argparse.ArgumentParser(prog="gridledger policy", description=DESCRIPTION)
    parser.add_argument("name", nargs="?", help=", ".join(shipped_policies()))
    name = parser.parse_args(arguments).name
    try:
        lines = _lines(load_policy(name)) if name else _list()
    except BadPolicy as problem:
        sys.stderr.write(f"gridledger policy: {problem}\n")
        return EXIT_BAD_FILE
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _list() -> list[str]:
    return [f"  {name:<10} {load_policy(name).title}" for name in shipped_policies()]


def _lines(policy: CountryPolicy) -> list[str]:
    trade = "allowed" if policy.allows_direct_trade else "forbidden: offers become feed-in orders"
    parameters = json.dumps(dict(policy.listing), sort_keys=True)
    return [
        f"{policy.country}  {policy.title}",
        f"    {policy.basis}",
        f"    trade between members: {trade}",
        "",
        "as community manager, once:",
        f"gridledger chaincode invoke energy listings:set_defaults 'parameters={parameters}'",
    ]

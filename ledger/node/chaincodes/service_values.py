"""What this peer fills into the addresses of service packages, from its environment."""

import json
import os
from collections.abc import Mapping

from ledger.endorsement.packages.connection_templates import VARIABLE
from ledger.endorsement.packages.package import PackageRefused

TEXT_CHARACTERS_MAX = 64 * 1024


def service_values(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The values by name; none without the variable. Raises PackageRefused for anything else."""
    text = environment.get(VARIABLE, "")
    if not text:
        return {}
    problem = f"{VARIABLE} is no JSON object of texts"
    if len(text) > TEXT_CHARACTERS_MAX:
        raise PackageRefused(problem)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PackageRefused(problem) from error
    if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
        raise PackageRefused(problem)
    return values

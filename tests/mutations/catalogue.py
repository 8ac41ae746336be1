"""Every catalogued mistake, by its number."""

from tests.mutations.also_required import ALSO_REQUIRED
from tests.mutations.liveness import LIVENESS
from tests.mutations.membership import MEMBERSHIP
from tests.mutations.mutation import Mutation
from tests.mutations.safety import SAFETY
from tests.mutations.signatures_and_state import SIGNATURES_AND_STATE

_BY_NUMBER = sorted(SAFETY, key=lambda one: (len(one.number.rstrip("b")), one.number))
MUTATIONS: tuple[Mutation, ...] = (
    *_BY_NUMBER,
    *LIVENESS,
    *ALSO_REQUIRED,
    *SIGNATURES_AND_STATE,
    *MEMBERSHIP,
)


def mutation(number: str) -> Mutation:
    """KeyError when there is none."""
    return {found.number: found for found in MUTATIONS}[number]

"""All fuzz targets. A new one goes into the module of `tests.fuzz.targets` it is nearest to."""

from tests.fuzz.engine import FuzzTarget
from tests.fuzz.targets import (
    audit,
    configuration,
    consensus,
    contract_sources,
    contracts,
    core,
    gateway,
    identities,
    lifecycle,
    model,
    packages,
    private_data,
    services,
    settings,
    snapshots,
    storage,
    validation,
)

TARGETS: tuple[FuzzTarget, ...] = (
    *model.TARGETS,
    *consensus.TARGETS,
    *core.TARGETS,
    *validation.TARGETS,
    *identities.TARGETS,
    *storage.TARGETS,
    *snapshots.TARGETS,
    *services.TARGETS,
    *contracts.TARGETS,
    *contract_sources.TARGETS,
    *packages.TARGETS,
    *lifecycle.TARGETS,
    *private_data.TARGETS,
    *gateway.TARGETS,
    *settings.TARGETS,
    *configuration.TARGETS,
    *audit.TARGETS,
)


def target_named(name: str) -> FuzzTarget:
    """The target of that name; KeyError if there is none."""
    return {target.name: target for target in TARGETS}[name]

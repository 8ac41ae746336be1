"""What a gateway process runs of the home energy data service, as its settings say."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace

from chaincode.energy.registry.devices import PLUG
from gateway.books.community import Community
from gateway.database import Database, outlasting
from gateway.hems.anchor_recovery import catch_up
from gateway.hems.anchoring import AnchorBook
from gateway.hems.dispute_decisions import DisputeDecisions, keep_deciding
from gateway.hems.home_assistant import StandingSource, Words
from gateway.hems.home_devices import HomeDevices
from gateway.hems.household_values import HouseholdValues
from gateway.hems.link_audit import LinkAudit
from gateway.hems.meter_keys import ExpectedMeters, LedgerMeterKeys
from gateway.hems.mirror_push import MirrorPush, mirror_client
from gateway.hems.own_switching import OwnSwitching
from gateway.hems.planning import TransferPlanner, keep_planning
from gateway.hems.retention import roots_in
from gateway.hems.running import (
    keep_anchoring,
    limits_for,
    open_service,
)
from gateway.hems.service import HemsService
from gateway.hems.tampering import TamperWatch
from gateway.ledger_access.actor import Actor
from gateway.mqtt.adapters import Adapter, adapters_for, energy_topics
from gateway.mqtt.announcing import TransferAnnouncer
from gateway.mqtt.collector import Collector, keep_collecting
from gateway.mqtt.home_assistants import HomeAssistants
from gateway.mqtt.reading_check import Attesting, MeterKeys, ReadingCheck
from gateway.services import Services
from gateway.settings import GatewaySettings, HemsSettings
from ledger.client.gateway import GatewayClient
from ledger.crypto.signing import Signer


async def start_collecting(
    settings: GatewaySettings,
    services: Services,
    database: Database,
    words_of: Callable[[str], Words] = lambda _idgrid: str,
) -> tuple[Services, list[asyncio.Task[None]]]:
    """The services with what devices tell, and the tasks that bring it; none without a broker.

    `words_of`: in whose words the home automation of a household is told its devices' names.
    """
    if settings.mqtt is None:
        return services, []
    community, mqtt = services.community, settings.mqtt
    adapters = adapters_for(settings.hems.foreign)
    mirror = _mirror(settings, database, services.clock_ms)
    service = await asyncio.to_thread(_opened, settings, services, database, adapters, mirror)
    homes = _homes(settings, services, service, words_of)
    collector = _collector(settings, services, service, adapters, homes)
    planner = TransferPlanner(
        services.readmodel, services.market, community, service.stores, settings.hems.buses
    )
    decisions = DisputeDecisions(services.readmodel, service)
    stores, hems = service.stores, settings.hems
    audit = LinkAudit(stores.links, stores.devices, services.clock_ms, hems.broker_folder)
    blocks, clock_ms = services.blocks, services.clock_ms
    works = (
        audit.run,
        mirror.run,
        lambda: keep_collecting(lambda: collector.run(mqtt)),
        lambda: keep_planning(planner, blocks, clock_ms),
        lambda: keep_deciding(decisions, blocks, clock_ms),
    )
    tasks = [asyncio.create_task(outlasting(work)) for work in works]
    watch = None
    if settings.hems.oracle is not None:
        watch, anchoring = _anchoring(settings, services, service, database)
        tasks.append(anchoring)
    filled = replace(
        services,
        measurements=HouseholdValues(service.stores.measurements, community),
        hems=service,
        link_audit=audit,
        tamper_watch=watch,
        attesting=attesting_of(settings.hems),
    )
    return filled, tasks


def _opened(
    settings: GatewaySettings,
    services: Services,
    database: Database,
    adapters: Sequence[Adapter],
    mirror: MirrorPush,
) -> HemsService:
    """The data service over what is stored; blocks."""
    return open_service(
        database,
        services.batteries,
        limits_for(settings.community.hour_ms, settings.hems.interval_ms),
        now_ms=services.clock_ms(),
        silent_after_ms=settings.hems.silent_after_ms,
        on_measured=mirror.note,
        answering_by_state=[name for adapter in adapters for name in adapter.switches],
        expected=ExpectedMeters(services.community, services.blocks),
        is_appliance=functools.partial(_is_appliance, services.community),
    )


def _is_appliance(community: Community, device_id: str) -> bool:
    """Plugs, and devices nobody registered: what a meter or a battery shows may vary."""
    registered = community.meter(device_id)
    return registered is None or registered.kind == PLUG


def _collector(
    settings: GatewaySettings,
    services: Services,
    service: HemsService,
    adapters: Sequence[Adapter],
    homes: HomeAssistants | None,
) -> Collector:
    keys = LedgerMeterKeys(services.community, services.blocks)
    return Collector(
        service,
        reading_check(settings.hems, keys),
        community=settings.community.id,
        clock_ms=services.clock_ms,
        adapters=adapters,
        link=services.broker,
        homes=homes,
        announcer=TransferAnnouncer(
            service.stores.transfers, energy_topics(settings.hems.foreign)
        ),
        updates=settings.hems.updates,
    )


def _mirror(
    settings: GatewaySettings, database: Database, clock_ms: Callable[[], int]
) -> MirrorPush:
    return MirrorPush(database, settings.hems.mirrors, mirror_client(), clock_ms)


def _homes(
    settings: GatewaySettings,
    services: Services,
    service: HemsService,
    words_of: Callable[[str], Words],
) -> HomeAssistants | None:
    named = settings.hems.home_assistant
    if not named:
        return None
    standings = StandingSource(
        readmodel=services.readmodel,
        market=services.market,
        community=services.community,
    )
    devices = HomeDevices(
        community=services.community,
        readings=services.readings,
        stores=service.stores,
        hour_ms=services.energy_hour_ms,
    )
    own, switching = settings.community, OwnSwitching(services.community, service.stores.switches)
    return HomeAssistants(
        named,
        standings,
        devices,
        switching,
        community=own.id,
        community_name=own.name,
        words_of=words_of,
    )


def reading_check(settings: HemsSettings, keys: MeterKeys) -> ReadingCheck:
    """The check of what meters publish, with the secrets of those of tier A.

    Raises `OSError` if the attesting key cannot be read, `NodeFault` if it is not on P-256.
    """
    return ReadingCheck(keys, attesting_of(settings))


def attesting_of(settings: HemsSettings) -> Attesting | None:
    """The key and secrets for meters of tier A, if the settings name them; raises as above."""
    own = settings.attesting
    return None if own is None else Attesting(Signer(own.key.read_bytes()), own.secrets)


def _anchoring(
    settings: GatewaySettings, services: Services, service: HemsService, database: Database
) -> tuple[TamperWatch, asyncio.Task[None]]:
    """Who compares stored rows with the ledger, and the task that anchors and has it look."""
    hems, ledger = settings.hems, settings.ledger
    assert hems.oracle is not None, "the caller asked"
    client = GatewayClient.connect(
        ledger.peers[0].address, ledger.tls_ca.read_bytes(), ledger.channel_id
    )
    actor, book = Actor(client, hems.oracle.load(), ledger.chaincode), AnchorBook(database)
    watch = TamperWatch(
        book,
        actor,
        hems.oracle.mspid,
        service,
        LedgerMeterKeys(services.community, services.blocks),
        clock_ms=services.clock_ms,
        root_of_export=roots_in(hems.retention.folder) if hems.retention is not None else None,
    )
    keep = functools.partial(
        keep_anchoring,
        book,
        actor,
        watch,
        every_ms=hems.anchor_every_ms,
        clock_ms=services.clock_ms,
        recover=functools.partial(catch_up, database, actor, hems.oracle.mspid),
        retention=hems.retention,
    )
    return watch, asyncio.create_task(_until_cancelled(outlasting(keep), client))


async def _until_cancelled(work: Coroutine[None, None, None], client: GatewayClient) -> None:
    try:
        await work
    finally:
        await client.close()

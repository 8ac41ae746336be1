"""Each home of the demo with what is in it: meters, battery, plugs, and who lives there."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from cryptography.hazmat.primitives import serialization

from gateway.agent.client import HouseholdClient
from gateway.agent.household import Household
from gateway.agent.sleeper import Sleeper
from gateway.demo.appliances import plug_of
from gateway.demo.community_broker import CommunityBroker
from gateway.demo.home_battery import StoredHome, with_battery
from gateway.demo.home_devices import BatteryController, HomeDevice, PluggedAppliance
from gateway.demo.registration import Equipment, Neighbour
from gateway.demo.settings import DemoSettings, HouseholdSettings
from gateway.hems.firmware_meter import FirmwareMeter, interpreter
from gateway.hems.fleet import DemoMeter, FleetMeter, LightMeter
from gateway.hems.profiles import Home, Profiles
from gateway.hems.virtual_meter import VirtualMeter
from gateway.ledger_access.actor import Actor
from ledger.client.gateway import GatewayClient
from ledger.crypto.signing import Signer, generate_key

FIRMWARE_METERS = 2
"""So many households have a meter that runs the firmware, each in a process of its own."""


@dataclass(frozen=True, slots=True)
class DemoHome:
    """A household with everything that is its own; `meters` begins with the connection's."""

    neighbour: Neighbour
    household: Household
    meters: Sequence[FleetMeter]
    devices: Sequence[HomeDevice]


class HomeMaker:
    """Makes homes out of the settings; what they run hangs on the exit stack."""

    def __init__(
        self,
        settings: DemoSettings,
        profiles: Profiles,
        first_hour: datetime,
        broker: CommunityBroker,
        resources: AsyncExitStack,
    ) -> None:
        self._settings = settings
        self._profiles = profiles
        self._first_row = profiles.hour_index(first_hour)
        self._broker = broker
        self._resources = resources
        self._command = interpreter()

    async def meters(self) -> list[DemoMeter]:
        """A meter per household: the first ones run the firmware, where MicroPython is."""
        return [
            await self._meter(number, own) for number, own in enumerate(self._settings.households)
        ]

    def told(self, meters: Sequence[DemoMeter]) -> str:
        """Which meters there are, in words."""
        nodes = sum(isinstance(meter, FirmwareMeter) for meter in meters)
        light = "the others are light Python meters" if nodes else "all are light Python meters"
        why = "" if self._command else " (MicroPython is not installed)"
        return f"  {nodes} meters run the firmware on MicroPython{why}, {light}"

    def home(
        self,
        own: HouseholdSettings,
        meter: DemoMeter,
        http: httpx.AsyncClient,
        by_member: Mapping[str, GatewayClient],
    ) -> DemoHome:
        """One home around its meter; `by_member` are clients of the members' peers."""
        recorded = self._profiles.homes[own.home - 1]
        stored = with_battery(recorded, self._first_row) if own.battery else None
        home = stored.home if stored else recorded
        res_id = f"pv-{own.home:02d}"
        pv_meter = self._pv_meter(own)
        meters = [FleetMeter(meter, home)]
        if pv_meter is not None:
            meters.append(FleetMeter(pv_meter, replace(home, load_wh=(0,) * len(home.load_wh))))
        identity, chaincode = own.identity.load(), self._settings.ledger.chaincode
        neighbour = Neighbour(
            idgrid=own.idgrid,
            name=f"Home {own.home}",
            email=f"home-{own.home:02d}@{self._settings.community.id}.example",
            res_id=res_id,
            pv_nominal_w=home.pv_nominal_w,
            meter_id=meter.meter_id,
            meter_key_pem=meter.public_key_pem,
            actor=Actor(by_member[own.identity.mspid], identity, chaincode),
            equipment=_equipment(own, pv_meter, home),
        )
        household = Household(
            idgrid=own.idgrid,
            res_id=res_id,
            home=home,
            profiles=self._profiles,
            client=HouseholdClient(http, identity),
            preferred=self._neighbours(own),
            sleeper=_sleeper(own, http),
        )
        return DemoHome(neighbour, household, meters, self._devices(own, recorded, stored))

    async def _meter(self, number: int, own: HouseholdSettings) -> DemoMeter:
        name, community = own.meter, self._settings.community
        mqtt = self._broker.as_client(name)
        if self._command is None or number >= FIRMWARE_METERS:
            return LightMeter(community.id, VirtualMeter(name), mqtt)
        folder = self._resources.enter_context(TemporaryDirectory(prefix=name))
        node = await FirmwareMeter.start(
            self._command,
            Path(folder),
            community=community.id,
            account=own.idgrid,
            mqtt=mqtt,
            market_hour_ms=community.hour_ms,
        )
        self._resources.push_async_callback(node.close)
        return node

    def _pv_meter(self, own: HouseholdSettings) -> LightMeter | None:
        if not own.pv_meter:
            return None
        mqtt = self._broker.as_client(own.pv_meter)
        return LightMeter(self._settings.community.id, VirtualMeter(own.pv_meter), mqtt)

    def _devices(
        self, own: HouseholdSettings, recorded: Home, stored: StoredHome | None
    ) -> list[HomeDevice]:
        found: list[HomeDevice] = [
            PluggedAppliance(
                plug_of(plug.kind, plug.name), recorded, self._broker.as_client(plug.device)
            )
            for plug in own.plugs
        ]
        if stored is not None:
            mqtt = self._broker.as_client(own.battery)
            found.append(BatteryController(self._settings.community.id, stored, mqtt))
        return found

    def _neighbours(self, own: HouseholdSettings) -> list[str]:
        """Households whose meters run the firmware rather buy of each other: over their relays."""
        nodes = [home.idgrid for home in self._settings.households[:FIRMWARE_METERS]]
        return [name for name in nodes if name != own.idgrid] if own.idgrid in nodes else []


def _sleeper(own: HouseholdSettings, http: httpx.AsyncClient) -> Sleeper | None:
    if own.agent is None:
        return None
    identity = own.agent.load()
    return Sleeper(identity, HouseholdClient(http, identity), own.idgrid)


def _equipment(own: HouseholdSettings, pv_meter: LightMeter | None, home: Home) -> Equipment:
    """Batteries and plugs sign nothing; the registry wants a key of each all the same."""
    return Equipment(
        pv_meter={pv_meter.meter_id: pv_meter.public_key_pem} if pv_meter else {},
        battery={own.battery: _new_public_key()} if own.battery else {},
        battery_capacity_wh=home.battery.capacity_wh,
        plugs={plug.device: _new_public_key() for plug in own.plugs},
    )


def _new_public_key() -> str:
    key = Signer(generate_key()).public_key
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode("ascii")

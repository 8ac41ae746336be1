"""The settings files that the demo writes for its gateway."""

from datetime import UTC, datetime
from pathlib import Path

from gateway.database import open_database
from gateway.notices.records import Channel
from gateway.notices.ways import ways_from
from gateway.settings import GatewaySettings, load_gateway_settings
from network.demo.command import PLAN_FILE
from network.demo.settings_files import DemoPorts, write_demo_files
from network.founding.creation import create_network
from network.founding.throwaway import throwaway_plan
from network.plan import load_plan

NOW = datetime(2026, 1, 15, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


def demo_gateway_settings(folder: Path) -> GatewaySettings:
    text = throwaway_plan("demo", gateway_port=None, data_dir="network")
    (folder / PLAN_FILE).write_text(text, encoding="utf-8")
    plan = load_plan(folder / PLAN_FILE)
    layout = create_network(plan, text, now=NOW)
    files = write_demo_files(
        plan,
        layout,
        folder=folder,
        households=2,
        hours=1,
        hour_ms=6_000,
        day=None,
        ports=DemoPorts(broker=1, mail=2),
        has_tls=False,
        now=NOW,
    )
    return load_gateway_settings(files.gateway_settings)


def test_the_demo_offers_notices_on_the_visitors_own_device(tmp_path):
    settings = demo_gateway_settings(tmp_path)
    ways = ways_from(
        settings.notices,
        open_database(settings.database),
        lambda: NOW_MS,
        has_mail=settings.mail is not None,
        has_broker=settings.mqtt is not None,
    )
    assert Channel.PUSH in ways.channels
    assert ways.push_sender is not None
    signed = ways.push_sender.headers("https://push.example.org/send/1", NOW_MS)
    assert signed["Authorization"].startswith("vapid ")

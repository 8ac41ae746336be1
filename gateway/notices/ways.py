"""The ways notices take from one gateway, as its settings say."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from gateway.database import Database
from gateway.notices.key_files import kept_secret
from gateway.notices.notice_settings import NoticeSettings
from gateway.notices.records import Channel
from gateway.notices.webhooks import MASTER_BYTES, Webhooks

WEBHOOK_KEY_FILE = "webhooks.key"


@dataclass(frozen=True, slots=True)
class NoticeWays:
    """What pages offer and notices take. The inbox is always there."""

    channels: tuple[Channel, ...] = (Channel.INBOX,)
    webhooks: Webhooks | None = None


def ways_from(
    settings: NoticeSettings,
    database: Database,
    clock_ms: Callable[[], int],
    *,
    has_mail: bool,
    has_broker: bool,
) -> NoticeWays:
    """Blocks. Raises `OSError` if a secret can neither be read nor made."""
    channels = [Channel.INBOX]
    channels += [Channel.EMAIL] if has_mail else []
    channels += [Channel.MQTT] if has_broker else []
    folder = settings.key_folder
    if folder is None:
        return NoticeWays(tuple(channels))
    master = kept_secret(folder / WEBHOOK_KEY_FILE, lambda: secrets.token_bytes(MASTER_BYTES))
    webhooks = Webhooks(database, clock_ms, settings.reach, master)
    return NoticeWays((*channels, Channel.WEBHOOK), webhooks)

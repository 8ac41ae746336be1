"""The ways notices take from one gateway, as its settings say."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from gateway.database import Database
from gateway.notices.key_files import kept_secret
from gateway.notices.notice_settings import NoticeSettings
from gateway.notices.push_devices import PushDevices
from gateway.notices.records import Channel
from gateway.notices.web_push import Sender, new_sender_key
from gateway.notices.webhooks import MASTER_BYTES, Webhooks

WEBHOOK_KEY_FILE, PUSH_KEY_FILE = "webhooks.key", "push.key"


@dataclass(frozen=True, slots=True)
class NoticeWays:
    """What pages offer and notices take. The inbox is always there."""

    channels: tuple[Channel, ...] = (Channel.INBOX,)
    webhooks: Webhooks | None = None
    push: PushDevices | None = None
    push_sender: Sender | None = None


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
    channels.append(Channel.WEBHOOK)
    if not settings.contact:
        return NoticeWays(tuple(channels), webhooks)
    sender = Sender(kept_secret(folder / PUSH_KEY_FILE, new_sender_key), settings.contact)
    push = PushDevices(database, clock_ms, settings.reach, sender.public_key)
    return NoticeWays((*channels, Channel.PUSH), webhooks, push, sender)

"""What an operator sets for notices beyond mail."""

from dataclasses import dataclass, field
from pathlib import Path

from gateway.notices.outside_http import Reach


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """The part `notices` of the gateway's settings."""

    key_folder: Path | None = None
    """Where this gateway keeps secrets of its own; None: nothing that needs one is offered."""
    language: str = "en"
    """Of what is sent to households that chose none; mails have their own setting."""
    reach: Reach = field(default_factory=Reach)
    """Networks beside public addresses that webhooks may name."""
    contact: str = ""
    """Of the gateway's operator, `mailto:` or https, for push services; without it no Web Push."""
    ca: Path | None = None
    """An authority beside those this machine trusts, for receivers inside the community."""

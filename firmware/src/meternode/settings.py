"""What an installer decides, from `config.json`; checked once, with the field that is wrong."""

OUTBOX_HOURS = 24
OUTBOX_RECORDS_MAX = 10_000
"""A day at one reading per 10 s, with room; the index of more would not fit beside the rest."""
TIERS = ("A", "B", "C")
HOUR_MS = 3_600_000
TEXT_CHARACTERS_MAX = 100
UPDATE_KEY_CHARACTERS = 130
"""An uncompressed point on P-256 in hexadecimal, 04 first."""


class BadSettings(Exception):  # noqa: N818 - the installer's fault
    """A field of config.json that cannot be."""


class Settings:
    """Fields of `config.json` and what follows from them."""

    def __init__(self, fields):
        self.community = _text(fields, "community")
        self.device = _text(fields, "device")
        self.account = _text(fields, "account")
        self.tier = _text(fields, "tier")
        if self.tier not in TIERS:
            raise BadSettings("tier")
        self.sample_ms = _whole(fields, "sample_ms", 100, 60_000)
        self.measure_ms = _whole(fields, "measure_ms", 1_000, HOUR_MS)
        self.interval_ms = _whole(fields, "interval_ms", 1_000, HOUR_MS)
        if HOUR_MS % self.interval_ms or self.sample_ms > self.interval_ms:
            raise BadSettings("interval_ms")  # readings fall on whole hours, too
        day = min(OUTBOX_HOURS * HOUR_MS // self.interval_ms, OUTBOX_RECORDS_MAX)
        self.outbox_records = _whole(fields, "outbox_records", 1, OUTBOX_RECORDS_MAX, day)
        self.broker_host = _text(fields, "broker_host")
        self.broker_port = _whole(fields, "broker_port", 1, 65_535, 8_883)
        self.update_key = _update_key(fields)
        """None: this node takes no updates."""
        self.board = fields.get("board", {})
        """Pins and calibrations; read by `board/` only."""

    def topic(self, leaf):
        """This device's own topic."""
        return f"rec/{self.community}/{self.device}/{leaf}"

    def time_topic(self):
        """Where the gateway tells everybody the time."""
        return f"rec/{self.community}/gateway/time"


def _text(fields, name, characters_max=TEXT_CHARACTERS_MAX):
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= characters_max:
        raise BadSettings(name)
    return value


def _update_key(fields):
    """Looked at now: an update that must mend a node is no time to find it wrong."""
    if not fields.get("update_key"):
        return None
    value = _text(fields, "update_key", UPDATE_KEY_CHARACTERS)
    digits = "0123456789abcdefABCDEF"
    if len(value) != UPDATE_KEY_CHARACTERS or any(each not in digits for each in value):
        raise BadSettings("update_key")
    return value


def _whole(fields, name, low, high, default=None):
    value = fields.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadSettings(name)
    return value

"""A reading: registers at an instant, the line that is signed, and the message (docs/mqtt.md).

`tests/vectors/readings.json` holds lines and messages; the gateway and the contract read the same.
"""

import binascii

FORMAT_VERSION = 1
QUALITIES = ("measured", "estimated", "substituted")


class Reading:
    """Registers as they stood at the end of an interval."""

    def __init__(self, seq, t_end_ms, import_wh, export_wh, quality):
        self.seq = seq
        self.t_end_ms = t_end_ms
        self.import_wh = import_wh
        self.export_wh = export_wh
        self.quality = quality

    def values(self):
        """The constructor's arguments."""
        return [self.seq, self.t_end_ms, self.import_wh, self.export_wh, self.quality]


def signed_line(meter, reading):
    """The bytes the device signs; no field can hold `|`."""
    return (
        f"gridledger-reading-1|{meter}|{reading.seq}|{reading.t_end_ms}"
        f"|{reading.import_wh}|{reading.export_wh}|{reading.quality}"
    ).encode()


def message(meter, reading, key_id, signature):
    """The JSON message; written by hand, so its bytes are the same on every interpreter."""
    encoded = binascii.b2a_base64(signature).strip().decode()
    return (
        f'{{"v":{FORMAT_VERSION},"m":"{meter}","seq":{reading.seq},"t_end":{reading.t_end_ms},'
        f'"imp_wh":{reading.import_wh},"exp_wh":{reading.export_wh},"q":"{reading.quality}",'
        f'"kid":"{key_id}","sig":"{encoded}"}}'
    ).encode()

"""A Wi-Fi that is joined a moment after it was asked."""

import json

STA_IF = 0


class WLAN:
    def __init__(self, interface):
        self._asked = 0

    def active(self, is_on):
        pass

    def connect(self, name, password):
        print(json.dumps({"joins": name}))
        self._asked = 1

    def isconnected(self):
        self._asked += self._asked > 0
        return self._asked > 2

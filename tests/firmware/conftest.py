"""The firmware's folders are importable here, as they are on a board."""

import sys

from tests.firmware.interpreter import CHECKS, FIRMWARE

sys.path[:0] = [str(FIRMWARE), str(CHECKS)]

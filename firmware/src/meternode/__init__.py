"""The metering node without its hardware: runs on CPython as on MicroPython.

Nothing in this package imports `machine` or `network`; time, files, sensors, relays and the
broker's stream are handed in.
"""

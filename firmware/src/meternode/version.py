"""The application's version, as `fw` of a state message and in an update's manifest."""

VERSION = "1.0.0"

"""The only importer of `machine` and `network`: what differs from port to port is here."""

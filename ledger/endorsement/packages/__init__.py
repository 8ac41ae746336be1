"""Chaincode packages: read within bounds, kept on the peer's disk, their templates filled in."""

"""Chaincodes that are part of the peer, and who may ask them."""

"""Collecting the endorsements a client's transaction needs from the channel's peers."""

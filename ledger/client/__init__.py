"""Asking a peer from outside: proposals, endorsements, ordering, commits, blocks."""

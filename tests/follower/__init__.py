"""A reader of an ordering service made from Fabric's published rules alone.

It shares nothing with the ledger: messages are the official package's, checks were written from
Fabric's own. It runs in a process of its own, since both bring protobuf packages of one name.
"""

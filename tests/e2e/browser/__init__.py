"""The pages in real Chromium before a real gateway, over a ledger in memory with the contracts.

`village.py` is the community with its gateway, `chromium.py` the browser. Everything the browser
sends is endorsed, validated and put into blocks by the ledger's own code; what is left out is the
network between four peers, which the tests one folder up have.
"""

"""Receipts: a proof, checkable without any peer, of what one transaction came to.

Pure: bytes in, values out. `making` needs two blocks, `checking` a receipt and who is trusted;
docs/receipts.md has the format and the argument.
"""

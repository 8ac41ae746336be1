"""The gateway's way to the ledger: peers, blocks that are checked, refusals in words.

ledger_link.py     one peer at a time, another one when it fails or lies
peer_line.py       one peer over TLS
sealed_chain.py    every block is checked against the one before
block_signal.py    waiting for the next block, or for the one that holds a transaction
actor.py           someone who acts with an own key: scheduler, oracle, manager
refusals.py        the contract's code, the HTTP problem, whether to try again
"""

"""Transactions as their makers meet them: written, followed, opened, proved.

submitting.py           prepare a proposal, pass on what the client signed, follow the commit
opened.py               a transaction down to what it read and wrote
insight.py              who sees what of it
receipts.py             files that prove what it came to
contract_functions.py   what can be called at all
"""

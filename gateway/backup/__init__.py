"""Backups of the gateway's database.

copying.py    a copy while the gateway runs, and back into an empty database
command.py    `gridledger database backup|restore`
"""

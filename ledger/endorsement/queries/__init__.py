"""Scans, histories and rich queries of one transaction, within bounds."""

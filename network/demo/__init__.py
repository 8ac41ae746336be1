"""`gridledger demo`: a community that trades on real household data."""

"""`gridledger study network`: sizes and delays for 2 to 7 houses on emulated links."""

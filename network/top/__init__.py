"""`gridledger top`: a running network, its market and its meters at a glance."""

"""`gridledger bench`: what the network, the market and the gateway do on this machine."""

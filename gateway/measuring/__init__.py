"""What measures the gateway; `gridledger bench gateway` and `bench meters` run it as processes."""

"""Before a community starts: what the law makes of its market, sizes of panels and batteries."""

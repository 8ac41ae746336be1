"""A running peer: what puts it together is here, what it is made of in the folders."""

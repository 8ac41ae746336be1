"""Our contracts with the functions that the client suites call, in place of their Go ones."""

"""HTTP: routes, problems, limits; the use cases beside it know nothing of it."""

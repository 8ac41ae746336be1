"""Groups of households that order as one and share by their meters: virtual power plants."""

"""The one page: views as HTML and SVG, rendered on the server."""

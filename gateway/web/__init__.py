"""The pages: views as HTML and SVG, rendered on the server."""

"""Settings of the documentation's site: `make docs` builds it and takes every warning, dead links too, for an error."""

from bench import __version__

project = "bench"
author = "The text-classifier-bench authors"
copyright = author
release = __version__
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"bench {release}"
html_show_sphinx = False

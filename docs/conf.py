"""The site: every page of the repository, where it lies, so that links mean the same here and on a code host.

make docs      builds it into build/site; a dead link, a dead anchor or a page that nothing leads to ends the build
"""

from __future__ import annotations

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "failover-drill"
author = "the authors of failover-drill"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", *(f"{place}/**.md" for place in ("docs", "benchmarks", "loadtests", "deploy", "examples"))]
include_patterns += ["reports/README.md", "reports/example/report.md"]
exclude_patterns = [".venv", "build"]

nitpicky = True
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

html_theme = "furo"
html_title = "failover-drill"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_additional_pages = {"index": "start.html"}
templates_path = ["templates"]


def setup(app: Sphinx) -> None:
    """Show state diagrams as they are written: drawing them would need a script from elsewhere."""
    app.add_lexer("mermaid", TextLexer)

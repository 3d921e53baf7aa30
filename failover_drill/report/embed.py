"""Charts as one compressed block of text inside the page: no file beside it, no network.

The library (Bokeh, as installed) and the charts travel gzipped and base64-coded; the page unpacks them with the
browser's own DecompressionStream. Identical charts give identical bytes: Bokeh's running model numbers are renumbered.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import bokeh
from bokeh.document import Document

_MODEL_ID = re.compile(r'"(p\d+)"')


def packed(text: str) -> str:
    """Return `text` gzipped and base64-coded, the same bytes each time."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode("ascii")


@cache
def library() -> str:
    """Return the installed Bokeh's browser half, packed."""
    directory = Path(bokeh.__file__).parent / "server" / "static" / "js"
    return packed((directory / "bokeh.min.js").read_text(encoding="utf-8"))


def charts(roots: Mapping[str, Any]) -> str:
    """Return the charts, packed: `roots` maps the id of an element of the page to the chart drawn in it."""
    document = Document()
    with document.models.freeze():  # walk the models once, not once for each root
        for root in roots.values():
            document.add_root(root)
    item = {
        "docs": {"charts": document.to_json(deferred=False)},
        "render_items": [
            {
                "docid": "charts",
                "root_ids": [root.id for root in roots.values()],
                "roots": {root.id: element for element, root in roots.items()},
            }
        ],
    }
    return packed(_renumbered(json.dumps(item, separators=(",", ":"))))


def _renumbered(text: str) -> str:
    numbers: dict[str, str] = {}
    return _MODEL_ID.sub(lambda found: f'"m{numbers.setdefault(found[1], str(len(numbers)))}"', text)

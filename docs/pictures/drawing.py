"""A page to draw on, written as SVG. Text is text, colours are few, nothing is loaded from anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

INK, FAINT, RULE, PAPER = "#1d2733", "#5b6875", "#cfd6dd", "#ffffff"
GOOD, BAD, LATE, AMBER, VIOLET = "#2f7d4f", "#c0392b", "#8a97a4", "#b7791f", "#6b4fa0"
FONT = "system-ui, 'DejaVu Sans', sans-serif"


class Drawing:
    """Shapes in order of drawing; coordinates are pixels from the top left corner."""

    def __init__(self, width: float, height: float, says: str) -> None:
        """*says* is what somebody who cannot see the picture is told."""
        self._size, self._says, self._shapes = (width, height), says, list[str]()

    def bar(self, x: float, y: float, width: float, height: float, fill: str, *, opacity: float = 1) -> None:
        self._shapes.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" rx="1.5" '
            f'fill="{fill}" fill-opacity="{opacity:g}"/>'
        )

    def line(self, x: float, y: float, to_x: float, to_y: float, colour: str = INK, *, dashed: bool = False) -> None:
        dashes = ' stroke-dasharray="4 3"' if dashed else ""
        self._shapes.append(
            f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{colour}"{dashes}/>'
        )

    def path(self, points: Iterable[tuple[float, float]], colour: str) -> None:
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._shapes.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')

    def span(self, x: float, y: float, to_x: float, colour: str = INK) -> None:
        """Draw a length: a line with a stop at either end."""
        for each in (x, to_x):
            self.line(each, y - 4, each, y + 4, colour)
        self.line(x, y, to_x, y, colour)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        colour: str = INK,
        *,
        size: float = 13,
        anchor: str = "start",
        bold: bool = False,
    ) -> None:
        weight = ' font-weight="600"' if bold else ""
        self._shapes.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" fill="{colour}"{weight}>'
            f"{escape(words)}</text>"
        )

    def svg(self) -> str:
        """Return the whole file."""
        width, height = self._size
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
            f'viewBox="0 0 {width:g} {height:g}" role="img" aria-label={quoteattr(self._says)} font-family="{FONT}">'
        )
        paper = f'<rect width="{width:g}" height="{height:g}" rx="8" fill="{PAPER}" stroke="{RULE}"/>'
        return "\n".join([head, paper, *self._shapes, "</svg>", ""])

"""A figure as files, and as it stands in a page."""

import math
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, RULE, PAPER = "#1c2024", "#d5d9dd", "#ffffff"
COLORS = ("#0072b2", "#c84e00", "#00795c", "#b0478a", "#8f6a00", "#5b5fc7", "#6b7075")
"""Told apart with any colour vision, three times as dark as white at least."""
STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    # A name may hold dollars.
    "text.parse_math": False,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
}
WIDE, LEGEND_LINE = 4.6, 0.19
"""Inches of a panel, and of a line of a legend."""
WIDTH = 66
"""Letters of a small label across a figure."""
Panel = Callable[[Axes], None]
"""Draws one."""


@dataclass(frozen=True)
class Picture:
    """A figure in a file's formats; `inline` is its SVG for a page, with the page's colours: ink is
    currentColor, lines and series are --rule, --series-0, ….

    `section` is the table that it belongs to, `text` what it shows; a `wide` one is wider
    than a phone."""

    name: str
    section: str
    text: str
    png: bytes
    svg: str
    wide: bool

    @property
    def inline(self) -> str:
        drawing = self.svg[self.svg.index("<svg") :]
        drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
        for place in ('id="', "url(#", 'href="#'):
            drawing = drawing.replace(place, f"{place}{self.name}-")
        drawing = drawing.replace(PAPER, "none").replace(INK, "currentColor")
        drawing = drawing.replace(RULE, "var(--rule)")
        for number, color in enumerate(COLORS):
            drawing = drawing.replace(color, f"var(--series-{number})")
        return re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'role="img"', drawing, count=1)


def picture(
    name: str,
    section: str,
    text: str,
    panels: Sequence[Panel],
    height: float,
    legend_lines: int,
    columns: int = 1,
) -> Picture:
    """A figure of panels, each of a phone's width and so many inches high, with one legend, if it
    has lines, below."""
    rows = math.ceil(len(panels) / columns)
    size = WIDE * columns, height * rows + LEGEND_LINE * legend_lines
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        for number, draw in enumerate(panels, 1):
            draw(figure.add_subplot(rows, columns, number))
        if legend_lines:
            named: dict[str, Artist] = {}
            for place in figure.axes:
                for line, label in zip(*place.get_legend_handles_labels(), strict=True):
                    named.setdefault(label, line)
            figure.legend(
                [*named.values()],
                [*named],
                loc="outside lower left",
                handlelength=2.6,
                labelspacing=0.3,
                ncols=columns,
            )
        png, svg = BytesIO(), BytesIO()
        figure.savefig(png, format="png", dpi=160)
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return Picture(name, section, text, png.getvalue(), svg.getvalue().decode(), columns > 1)


def folded(text: str, width: int) -> str:
    return textwrap.fill(text, width, break_on_hyphens=False)


def slug(text: str) -> str:
    """A part of a file's name, another one for each name of a task or method."""
    return re.sub(r"[^\w-]+", "-", text.lower())

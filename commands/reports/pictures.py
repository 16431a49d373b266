"""A figure as files, and as part of a page."""

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
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

INK, RULE, PAPER = "#1c2024", "#d5d9dd", "#ffffff"
COLORS = ("#0072b2", "#c84e00", "#00795c", "#b0478a", "#8f6a00", "#5b5fc7", "#6b7075")
"""Distinct for any colour vision, with a contrast to white of three or more."""
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
WIDTH = 4.6
"""Inches of a panel, about the width of a phone."""
POINTS_PER_INCH = 72
Panel = Callable[[Axes], None]
"""Draws into a panel."""


@dataclass(frozen=True)
class Picture:
    """A figure as PNG and SVG. `section` is the table it belongs to, `text` says what it shows; a
    `wide` one has several columns of panels."""

    name: str
    section: str
    text: str
    png: bytes
    svg: str
    wide: bool

    @property
    def inline(self) -> str:
        """Its SVG for a page, in the page's colours: currentColor, --rule, --series-0, …"""
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
    name: str, section: str, text: str, panels: Sequence[Panel], height: float, columns: int = 1
) -> Picture:
    """A figure of panels of `height` inches. A legend of all labelled lines comes below."""
    rows = math.ceil(len(panels) / columns)
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH * columns, height * rows), layout="constrained")
        labelled: dict[str, Artist] = {}
        for number, draw in enumerate(panels, 1):
            place = figure.add_subplot(rows, columns, number)
            draw(place)
            for line, label in zip(*place.get_legend_handles_labels(), strict=True):
                labelled.setdefault(label, line)
        if labelled:
            legend = figure.legend(
                [*labelled.values()],
                [*labelled],
                loc="outside lower left",
                handlelength=2.6,
                labelspacing=0.3,
                ncols=columns,
            )
            below = legend.get_window_extent().height / figure.dpi
            figure.set_figheight(height * rows + below)
        png, svg = BytesIO(), BytesIO()
        figure.savefig(png, format="png", dpi=160)
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return Picture(name, section, text, png.getvalue(), svg.getvalue().decode(), columns > 1)


def folded(text: str, inches: float, size: float) -> str:
    """Text of a font size in lines that are no wider than `inches`."""
    font = FontProperties(size=size)
    measure = TextToPath().get_text_width_height_descent
    letters = len(text)
    while True:
        lines = textwrap.wrap(text, letters, break_on_hyphens=False)
        widest = max(measure(line, font, ismath=False)[0] for line in lines)
        if widest <= inches * POINTS_PER_INCH or letters == 1:
            return "\n".join(lines)
        letters = math.floor(letters * 0.95)


def slug(text: str) -> str:
    """A part of a file's name; names of tasks and methods stay distinct."""
    return re.sub(r"[^\w-]+", "-", text.lower())

"""Figures as pages: interactive, complete, and without a network."""

import html
from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

SCRIPT = "plotly.min.js"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body {{ font-family: Arial, "Liberation Sans", Helvetica, sans-serif; max-width: 960px; margin: 24px auto; padding: 0 16px;
background: {paper}; color: {ink} }} figure {{ margin: 0 0 32px }} figcaption {{ font-size: 14px; margin: 4px 0 0 }}</style>
{script}
</head>
<body>
<h1 style="font-size: 18px">{title}</h1>
{body}
</body>
</html>
"""


class Shown(NamedTuple):
    """One figure of a page."""

    name: str
    figure: go.Figure
    caption: str


def figure_page(shown: Sequence[Shown], *, title: str, script: str | None = None) -> str:
    """A page of figures with their captions. `script`: where plotly.js lies beside it; None: it is inside (4.8 MB)."""
    paper, ink = shown[0].figure.layout.template.layout.paper_bgcolor, shown[0].figure.layout.template.layout.font.color
    inside = f"<script>{get_plotlyjs()}</script>" if script is None else f'<script src="{script}" charset="utf-8"></script>'
    body = "\n".join(_figure(one) for one in shown)
    return _PAGE.format(title=html.escape(title), paper=paper, ink=ink, script=inside, body=body)


def _figure(shown: Shown) -> str:
    config = {"displaylogo": False, "responsive": True, "toImageButtonOptions": {"format": "svg", "filename": shown.name}}
    height = f"{shown.figure.layout.height}px"
    drawn = shown.figure.to_html(full_html=False, include_plotlyjs=False, config=config, div_id=shown.name, default_height=height)
    return f"<figure>\n{drawn}\n<figcaption>{html.escape(shown.caption)}</figcaption>\n</figure>"

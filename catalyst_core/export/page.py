"""A figure as one page that can be mailed: interactive, complete, and without a network."""

import base64
import gzip
import html
import json
from collections.abc import Sequence
from functools import lru_cache
from string import Template
from typing import Any, NamedTuple

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from catalyst_core.figures.wire import walked

DIGITS = 6  # that a drawn number keeps
CONFIG = {"displaylogo": False, "responsive": True}
_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font-family: Arial, "Liberation Sans", Helvetica, sans-serif; max-width: 960px; margin: 24px auto; padding: 0 16px;
  background: $paper; color: $ink }
h1 { font-size: 18px }
figure { margin: 0 }
#plot { min-height: $height }
figcaption { font-size: 14px; line-height: 1.4; margin: 4px 0 0 }
</style>
</head>
<body>
<h1>$title</h1>
<figure>
<div id="plot" role="img" aria-label="$caption"></div>
<p id="said"></p>
<noscript><p>This page draws its figure with a script of its own; scripts are switched off in this browser.</p></noscript>
<figcaption id="caption">$caption</figcaption>
</figure>
<script type="application/json" id="figure">$figure</script>
<script type="text/plain" id="plotly">$plotly</script>
<script>
const named = (id) => document.getElementById(id);
const inflate = (text) => {
  const packed = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
};
const draw = async () => {
  const { data, layout, frames, config, captions } = JSON.parse(named("figure").textContent);
  const script = document.createElement("script");
  script.textContent = await inflate(named("plotly").textContent);
  document.head.append(script);
  const plot = named("plot");
  await Plotly.newPlot(plot, { data, layout, frames, config });
  plot.on("plotly_sliderchange", ({ slider }) => { named("caption").textContent = captions[slider.active]; });
};
if (typeof DecompressionStream === "undefined") {
  named("said").textContent = "This browser cannot unpack the figure: open the page in one from 2023 or later.";
} else {
  draw().catch((error) => { named("said").textContent = "The figure cannot be drawn: " + error.message; });
}
</script>
</body>
</html>
""")


class Spec(NamedTuple):
    """A figure as plain data, in plotly's properties."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]
    frames: list[dict[str, Any]]


def spec_of(figure: go.Figure) -> Spec:
    """A figure that does not move."""
    parts = figure.to_plotly_json()
    return Spec(plain(parts["data"]), plain(parts["layout"]), [])


def figure_page(spec: Spec, captions: Sequence[str], *, title: str, name: str) -> str:
    """The page of one figure with its caption: one a position of its slider, if it has one. plotly.js is inside, packed."""
    look = spec.layout["template"]["layout"]
    config = CONFIG | {"toImageButtonOptions": {"format": "svg", "filename": name}}
    figure = json.dumps(spec._asdict() | {"config": config, "captions": list(captions)}, separators=(",", ":"))
    return _PAGE.substitute(
        title=html.escape(title),
        caption=html.escape(captions[0]),
        paper=look["paper_bgcolor"],
        ink=look["font"]["color"],
        height=f"{spec.layout['height']}px",
        figure=figure.replace("<", "\\u003c"),
        plotly=_packed(),
    )


@lru_cache(maxsize=1)
def _packed() -> str:
    """plotly.js, compressed, as text."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), mtime=0)).decode()


def plain(value: Any) -> Any:
    """Nested dicts, lists and arrays as what JSON knows; numbers keep six digits; what only the table of a figure reads goes."""
    return walked(value, lambda array: plain(array.tolist()), lambda number: float(f"{number:.{DIGITS}g}"))

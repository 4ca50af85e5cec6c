"""A report as blocks, and the two ways to write them: HTML without a script, and Markdown. All text in them is text."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from catalyst_core.bench.ledger.tables import Table
from catalyst_core.export.report import PAGE, Shown, figure_html
from catalyst_core.markup import html_table

WIDTH = "1360px"  # of the page: what the widest table takes


class Head(NamedTuple):
    """A heading; level 2 is a section's."""

    text: str
    level: int = 2


class Text(NamedTuple):
    """A paragraph; `kind`: '', 'faint' or 'bad', which is red."""

    text: str
    kind: str = ""


class Code(NamedTuple):
    """Something for a shell."""

    text: str


class Listed(NamedTuple):
    """Sentences below each other."""

    sentences: Sequence[str]


class Drawing(NamedTuple):
    """A figure: the name of its file, its title and its caption."""

    name: str
    title: str
    caption: str


Block = Head | Text | Code | Listed | Drawing | Table


def html_page(title: str, blocks: Sequence[Block], svgs: Mapping[str, str]) -> str:
    """A page that stands for itself; `svgs`: the figures by name."""
    return PAGE.substitute(title=html.escape(title), width=WIDTH, body="\n".join(_html(block, svgs) for block in blocks))


def _html(block: Block, svgs: Mapping[str, str]) -> str:
    match block:
        case Head(text, level):
            return f"<h{level}>{html.escape(text)}</h{level}>"
        case Text(text, kind):
            return f"<p class='{kind}'>{html.escape(text)}</p>"
        case Code(text):
            return f"<pre>{html.escape(text)}</pre>"
        case Listed(sentences):
            return "<ul>" + "".join(f"<li>{html.escape(one)}</li>" for one in sentences) + "</ul>"
        case Drawing(name, title, caption):
            return figure_html(Shown(name, title, svgs[name], caption))
        case Table(heads, rows, left):
            return html_table(heads, rows, "wide left wrap" if left == len(heads) else "wide")


def markdown_page(title: str, blocks: Sequence[Block]) -> str:
    """The same as Markdown; figures are links to their PNG."""
    return "\n\n".join([f"# {escaped(title)}", *(_markdown(block) for block in blocks)]) + "\n"


def _markdown(block: Block) -> str:
    match block:
        case Head(text, level):
            return f"{'#' * level} {escaped(text)}"
        case Text(text, kind):
            return f"**{escaped(text)}**" if kind == "bad" else escaped(text)
        case Code(text):
            return f"```sh\n{text}\n```"
        case Listed(sentences):
            return "\n".join(f"- {escaped(one)}" for one in sentences)
        case Drawing(name, title, caption):
            return f"![{escaped(title)}](figures/{name}.png)\n\n{escaped(caption)}"
        case Table():
            return markdown_table(block)


def markdown_table(table: Table) -> str:
    """Lines of a table; what is no word stands at the right."""
    marks = ["---" if place < table.left else "---:" for place in range(len(table.heads))]
    lines = [[escaped(cell) for cell in table.heads], marks, *([escaped(cell) for cell in row] for row in table.rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", html.escape(text, quote=False))

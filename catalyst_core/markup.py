"""Tables as HTML: everything in them is text, never markup."""

import html
from collections.abc import Iterable


def html_table(heads: Iterable[object], rows: Iterable[Iterable[object]], kind: str) -> str:
    """A table in a box of the class `kind`; every head and cell is escaped."""
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='{kind}'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"

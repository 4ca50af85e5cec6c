"""Widgets for the fields of a configuration. Every help text and range is the configuration's own.

A widget's key names the race that its default came from and the data set, so that another choice of either makes a new
widget with the right default; nothing is ever assigned to a widget.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st
from pydantic import BaseModel

from catalyst_core.catalog import Dataset, Model


class Fields:
    """Each widget begins with its value among `values`; `tag` tells it from those for other values."""

    def __init__(self, values: Mapping[str, Any], tag: str) -> None:
        self.values, self.tag = values, tag

    def number(self, owner: type[BaseModel], name: str, label: str, *, step: float = 0.1, placeholder: str = "") -> Any:
        """A number, or nothing where the field may be left open."""
        kind = int if isinstance(step, int) else float
        lowest, highest = _bounds(owner, name, kind)
        start = self.values[name]
        return st.number_input(
            label,
            min_value=lowest,
            max_value=highest,
            value=None if start is None else kind(start),
            step=step,
            format="%d" if kind is int else "%g",
            placeholder=placeholder or None,
            help=about(owner, name),
            key=self._key(name),
            persist_state="session",
        )

    def share(self, owner: type[BaseModel], name: str, label: str) -> float:
        """A fraction, as a slider in percent."""
        limits = {"min_value": 0.05, "max_value": 0.95, "step": 0.01}
        start = min(max(float(self.values[name]), limits["min_value"]), limits["max_value"])
        text = about(owner, name)
        return st.slider(label, **limits, value=start, format="percent", help=text, key=self._key(name), persist_state="session")

    def text(self, owner: type[BaseModel], name: str, label: str, *, placeholder: str = "", text: str = "") -> str:
        """A line of text."""
        text, start = text or about(owner, name), self.values[name]
        key = self._key(name)
        return st.text_input(label, value=start, placeholder=placeholder, help=text, key=key, persist_state="session") or ""

    def tick(self, owner: type[BaseModel], name: str, label: str) -> bool:
        """A yes or no."""
        text = about(owner, name)
        return st.checkbox(label, value=self.values[name], help=text, key=self._key(name), persist_state="session")

    def pick(self, owner: type[BaseModel], name: str, label: str, titles: Mapping[Any, str], *, text: str = "") -> Any:
        """One of several, shown by their titles."""
        return st.selectbox(
            label,
            list(titles),
            index=list(titles).index(self.values[name]),
            format_func=titles.__getitem__,
            help=text or about(owner, name),
            key=self._key(name),
            persist_state="session",
        )

    def _key(self, name: str) -> str:
        return f"form_{name}@{self.tag}"


def titles(catalog: Mapping[str, Model | Dataset]) -> dict[str, str]:
    return {name: entry.title for name, entry in catalog.items()}


def listed(catalog: Mapping[str, Model | Dataset]) -> str:
    return " ".join(f"**{entry.title}**: {entry.sentence}" for entry in catalog.values())


def about(owner: type[BaseModel], name: str) -> str:
    text = owner.model_fields[name].description or ""
    return text[:1].upper() + text[1:]


def _bounds(owner: type[BaseModel], name: str, kind: type[int] | type[float]) -> tuple[Any, Any]:
    """The inclusive bounds of a field, for the widget; an open bound is told by the configuration's own sentence."""
    marks = owner.model_fields[name].metadata
    found = [next((getattr(mark, side) for mark in marks if hasattr(mark, side)), None) for side in ("ge", "le")]
    lowest, highest = (None if bound is None else kind(bound) for bound in found)
    return lowest, highest

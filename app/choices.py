"""What forms offer: networks and methods of ours, of other libraries, and what the owner registered."""

import streamlit as st

from catalyst_core import catalog, libraries
from catalyst_core.catalog import METHODS, MODELS, Method, Model
from catalyst_core.errors import ConfigError


def networks() -> dict[str, Model]:
    """Ours, the owner's, and every classifier of the libraries that are installed."""
    others = (f"{library}:{name}" for library in libraries.LIBRARIES for name in libraries.names(library))
    try:
        ours = catalog.models()
    except ConfigError:  # `methods` tells
        ours = dict(MODELS)
    return ours | {name: MODELS[name] for name in others}


def methods() -> dict[str, Method]:
    """Ours, the peers' and the owner's; a mistake in the owner's file is told, and his are left out."""
    try:
        return catalog.methods()
    except ConfigError as error:
        st.warning(str(error))
        return dict(METHODS)

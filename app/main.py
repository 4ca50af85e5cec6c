"""The dashboard: `streamlit run app/main.py`, from any folder. Navigation and the guard around every page, nothing else."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # Streamlit puts only this file's folder there
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

ABOUT = "**Catalyst** shows structured pruning while it happens: several methods race on the same network and the same batches."
PAGES = {
    "race": "Race",
    "results": "Results",
    "lab": "Lab",
    "theory": "Theory",
    "runs": "Runs",
}

st.set_page_config(
    page_title="Catalyst",
    page_icon=str(Path(__file__).with_name("icon.svg")),
    layout="wide",
    initial_sidebar_state=320,
    menu_items={"About": ABOUT},
)
starting = st.empty()
if "app.context" not in sys.modules:  # what a first visit imports takes a second or two
    starting.title("Catalyst is starting")

from app import access, context, ends, links, live  # noqa: E402

starting.empty()
st.html(context.STYLE)
inside = False
with context.guard():
    inside = access.enter()
page = st.navigation(
    [
        st.Page(f"../pages/{name}.py", title=title, default=name == "race", url_path="" if name == "race" else name)
        for name, title in PAGES.items()
    ],
    position="top" if inside else "hidden",
)
if inside:
    with context.guard(again=True):
        live.publish_plotly()
        context.say()
        links.arrive()
        page.run()
        ends.toasts(context.store())
        context.settle()

"""Theory: the flow of (n, D) and a population of filters under three regularizers, by simulation and in closed form."""

import math

import streamlit as st

from app import context, live
from catalyst_core import theory
from catalyst_core.figures import theory as figures
from catalyst_core.figures import words
from catalyst_core.figures.style import Theme
from catalyst_core.theory import Paths, Rule

TIME = 5.0
STEPS = 500
EXACT = 10  # steps from one time of the closed forms to the next
FILTERS = 60
BASICS = r"""
A filter with parameters $F_i$ has the magnitude $n_i = \lVert F_i\rVert_2$ and, beside it, a catalyst variable $D_i \ge 0$.
Gradient flow of the task loss plus $\lambda \sum_i D_i n_i$ moves both; $g_i$ is the rate at which the task alone would
let the filter grow:

$$\dot n_i = -\lambda D_i + g_i n_i \qquad \dot D_i = -\lambda n_i$$
"""
STATEMENTS = {  # formula -> what it means; the numbers beside them are computed in `meaning`, in this order
    r"\dot u = 2\lambda\sinh u - g": r"Slope of $u = \log(D/n)$ at the start. It runs away from its one rest: two fates.",
    r"r = e^{\operatorname{arsinh}(g/2\lambda)}": r"Boundary. Above $D = r\,n$ a filter ends at $n = 0$, below at $D = 0$.",
    r"g^* = \lambda\,(c - 1/c)": r"From $D = c\,n$ a filter goes if $g < g^*$. There is no magnitude in it.",
    r"t = \operatorname{artanh}(\min(c, 1/c))/\lambda": r"When it is decided, for $g = 0$. The number is for the $g$ above.",
    r"n^2 - D^2 = \text{const}": r"For $g = 0$. So $\sqrt{\lvert 1 - c^2\rvert}$ of the first $n$ is left, in $n$ or in $D$.",
    r"D\,n \to 0": "Either fate. The cut then changes nothing: it is lossless.",
    r"g\,n > \lambda": "What a filter needs to live under Group Lasso, and each number under L1. The small die first.",
}
TRY = {  # what there is to see -> settings
    "A tie": {"lambda": 1.0, "c": 1.0, "g": 0.0},
    "Pruned": {"lambda": 1.0, "c": 1.3, "g": 0.0},
    "Saved by the task": {"lambda": 1.0, "c": 1.3, "g": 0.8},
    "Too weak to decide": {"lambda": 0.15, "c": 1.1, "g": 0.0},
}


def sliders() -> tuple[float, float, float, int]:
    """Strength, ratio at the start, pull of the task, and which random population; all of them are part of the link."""
    first, second, third, fourth = st.columns([3, 3, 3, 2])
    linked = {"bind": "query-params"}
    strength = first.slider(
        "Strength λ", 0.1, 3.0, 1.0, 0.05, help="How strongly D and n pull each other down.", key="lambda", **linked
    )
    text = "Above the boundary a filter is pruned."
    ratio = second.slider("Ratio at the start c = D/n", 0.2, 3.0, 1.1, 0.05, help=text, key="c", **linked)
    text = "Positive: the task wants the filter larger."
    pull = third.slider("Pull of the task g", -1.5, 1.5, 0.0, 0.05, help=text, key="g", **linked)
    text = "Seed that the filters are drawn with."
    draw = fourth.number_input("Population", min_value=0, max_value=999, value=0, help=text, key="population", **linked)
    return strength, ratio, pull, draw


def put(settings: dict[str, float]) -> None:
    """A callback: move the sliders."""
    st.session_state.update(settings)


def meaning(strength: float, ratio: float, pull: float) -> str:
    """Every statement with its formula, what it means, and what it comes to with these settings."""
    values = (
        2 * strength * math.sinh(math.log(ratio)) - pull,
        float(theory.critical_ratio(strength, pull)),
        theory.critical_pull(strength, ratio),
        float(theory.decision_time(ratio, strength, pull)),
        math.sqrt(abs(1 - ratio**2)),
        0.0,
        strength,
    )
    lines = [
        f"| ${formula}$ | {text} | {words.number(value, 3)} |"
        for (formula, text), value in zip(STATEMENTS.items(), values, strict=True)
    ]
    return "\n".join(["| Formula | What it means | Now |", "|:--|:--|--:|", *lines])


def populations(strength: float, ratio: float, pull: float, draw: int, theme: Theme) -> dict[str, live.Panel]:
    """Simulated and exact paths of one population under each regularizer, as two figures."""
    drawn = theory.draw_population(FILTERS, pull=pull, seed=draw)
    paths: dict[Rule, Paths] = {
        rule: theory.simulate(rule, drawn, strength=strength, ratio=ratio, time=TIME, steps=STEPS) for rule in theory.RULES
    }
    exact = {
        rule: theory.closed_form(rule, path.times[::EXACT], drawn, strength=strength, ratio=ratio) for rule, path in paths.items()
    }
    version = f"{strength} {ratio} {pull} {draw} {theme}"
    over_time = figures.plot_population.sheet(drawn, paths, exact, theme=theme)
    fates = figures.plot_fates.sheet(drawn, paths, strength=strength, ratio=ratio, theme=theme)
    return {
        "population": live.as_panel(over_time, figures.caption_population(paths, exact), version, span=6),
        "fates": live.as_panel(fates, figures.caption_fates(drawn, paths), version, span=6),
    }


@context.guarded
def show() -> None:
    """All of the page but its title: moving a slider draws nothing else anew."""
    strength, ratio, pull, draw = sliders()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Try:", width="content")
        for title, settings in TRY.items():
            st.button(title, on_click=put, args=(settings,), type="tertiary")
    theme = context.theme()
    left, right = st.columns(2)
    with left:
        st.subheader("Where a filter flows")
        portrait = figures.plot_portrait.sheet(strength, ratio, pull, theme=theme)
        caption = figures.caption_portrait(strength, ratio, pull)
        live.show({"portrait": live.as_panel(portrait, caption, f"{strength} {ratio} {pull} {theme}", span=6)}, key="portrait")
    st.subheader(f"{FILTERS} filters, three regularizers")
    st.caption("Each filter has a magnitude and, independent of it, a pull of its own around the one above.")
    live.show(populations(strength, ratio, pull, draw, theme), key="populations")
    with right:  # last, as a browser takes long over the formulas
        st.subheader("What it means")
        st.markdown(BASICS)
        st.markdown(meaning(strength, ratio, pull))
        st.caption("These statements are derived here, not taken from the paper.")


st.title("Theory")
st.fragment(show)()

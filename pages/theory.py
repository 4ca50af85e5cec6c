"""Theory: the flow of (n, D) and a population of filters under three regularizers, by simulation and in closed form."""

import streamlit as st

from app import context, live
from catalyst_core import theory
from catalyst_core.figures import theory as figures
from catalyst_core.figures.style import Theme
from catalyst_core.theory import Paths, Rule

TIME = 5.0
STEPS = 500
FILTERS = 60
MEANING = r"""
A filter with parameters $F_i$ has the magnitude $n_i = \lVert F_i\rVert_2$ and, beside it, a catalyst variable $D_i \ge 0$.
Gradient flow of the task loss plus $\lambda \sum_i D_i n_i$ moves both. The pull $g_i$ is the rate at which the task alone
would let the filter grow:

$$\dot n_i = -\lambda D_i + g_i n_i \qquad \dot D_i = -\lambda n_i$$

- **Two fates.** The log-ratio $u_i = \log (D_i/n_i)$ obeys $\dot u_i = 2\lambda\sinh u_i - g_i$. Its one equilibrium is
  unstable: above it the filter is pruned ($n_i = 0$), below it preserved ($D_i = 0$). Either way $D_i n_i = 0$, and the cut
  changes nothing.
- **No magnitude in it.** From a common start $D_i = c\,n_i$ a filter is pruned when $g_i < \lambda\,(c - 1/c)$, small or
  large alike.
- **Conserved**, for $g_i = 0$: $n_i^2 - D_i^2$. With $c < 1$ the filter ends at $\sqrt{1-c^2}\,n_i$; with $c > 1$ its
  $D_i$ ends at $\sqrt{c^2-1}\,n_i$; both after $t = \operatorname{artanh}(\min(c, 1/c))/\lambda$.
- **Group Lasso and L1** take the same amount from every norm, or from every number, $\dot n_i = -\lambda + g_i n_i$. A
  filter lives when $g_i n_i > \lambda$, so the small ones die first.

These statements are derived here, not taken from the paper.
"""


def sliders() -> tuple[float, float, float, int]:
    """Strength, ratio at the start, pull of the task, and which random population."""
    first, second, third, fourth = st.columns([3, 3, 3, 2])
    strength = first.slider("Strength λ", 0.1, 3.0, 1.0, 0.05, help="How strongly D and n pull each other down.")
    ratio = second.slider("Ratio at the start c = D/n", 0.2, 3.0, 1.1, 0.05, help="Above the boundary a filter is pruned.")
    pull = third.slider("Pull of the task g", -1.5, 1.5, 0.0, 0.05, help="Positive: the task wants the filter larger.")
    draw = fourth.number_input("Population", min_value=0, max_value=999, value=0, help="Seed that the filters are drawn with.")
    return strength, ratio, pull, draw


def populations(strength: float, ratio: float, pull: float, draw: int, theme: Theme) -> dict[str, live.Panel]:
    """Simulated and exact paths of one population under each regularizer, as two figures."""
    drawn = theory.draw_population(FILTERS, pull=pull, seed=draw)
    paths: dict[Rule, Paths] = {
        rule: theory.simulate(rule, drawn, strength=strength, ratio=ratio, time=TIME, steps=STEPS) for rule in theory.RULES
    }
    exact = {rule: theory.closed_form(rule, path.times, drawn, strength=strength, ratio=ratio) for rule, path in paths.items()}
    version = f"{strength} {ratio} {pull} {draw} {theme}"
    over_time = figures.plot_population(drawn, paths, exact, theme=theme)
    fates = figures.plot_fates(drawn, paths, strength=strength, ratio=ratio, theme=theme)
    return {
        "population": live.as_panel(over_time, figures.caption_population(paths, exact), version, span=6),
        "fates": live.as_panel(fates, figures.caption_fates(drawn, paths), version, span=6),
    }


st.title("Theory")
strength, ratio, pull, draw = sliders()
theme = context.theme()
left, right = st.columns(2)
with left:
    st.subheader("Where a filter flows")
    portrait = figures.plot_portrait(strength, ratio, pull, theme=theme)
    caption = figures.caption_portrait(strength, ratio, pull)
    live.show({"portrait": live.as_panel(portrait, caption, f"{strength} {ratio} {pull} {theme}", span=6)}, key="portrait")
with right:
    st.subheader("What it means")
    st.markdown(MEANING)
st.subheader(f"{FILTERS} filters, three regularizers")
st.caption("Each filter has a magnitude and, independent of it, a pull of its own around the one above.")
live.show(populations(strength, ratio, pull, draw, theme), key="populations")

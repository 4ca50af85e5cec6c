"""The address and the widgets say the same, whoever moved last: the widget, a link, the back button."""

from tests.app.helpers import fill, healthy, run
from tests.app.test_pages import figures


def step(at):
    return next(one for one in at.slider if one.label.startswith("Step shown"))


def test_the_back_button_moves_the_step_slider_and_the_contenders(store):
    race = fill(store)
    at = healthy(run(race=race.id))
    assert step(at).value == 600
    healthy(step(at).set_value(300).run())
    assert at.query_params["step"] == "300"
    at.query_params["step"] = "200"  # as a link, or the back button, would
    at.query_params["methods"] = "catalyst,l1"
    healthy(at.run())
    assert step(at).value == 200
    assert {trace["name"] for trace in figures(at)["curves"]["data"] if trace.get("showlegend")} == {"Catalyst", "L1"}
    del at.query_params["step"]
    healthy(at.run())
    assert step(at).value == 600
    assert "step" not in at.query_params


def test_a_page_that_was_left_is_found_as_it_was(store):
    race = fill(store)
    at = healthy(run(race=race.id))
    healthy(step(at).set_value(300).run())
    healthy(at.switch_page("../pages/theory.py").run())
    at.query_params.clear()  # a link between pages has no choices
    healthy(at.switch_page("../pages/race.py").run())
    assert step(at).value == 300
    assert at.query_params["step"] == "300"


def test_every_choice_of_the_view_is_read_from_the_address(store):
    race = fill(store)
    at = healthy(run(race=race.id, step="300", methods="l1", x="epoch", histogram="layers", second="flips", layers="conv2"))
    sent = figures(at)
    assert sent["margins"]["title"] == "Flip curve"
    titles = [note["text"] for note in sent["magnitudes"]["layout"]["annotations"]]
    assert "conv2" in titles
    assert "conv1" not in titles
    assert "epochs" in str(sent["curves"]["layout"])


def test_of_several_races_in_the_address_the_page_of_one_shows_the_first(store):
    first, second = fill(store), fill(store)
    at = healthy(run(race=f"{second.id},{first.id}"))
    assert at.query_params["race"] == second.id

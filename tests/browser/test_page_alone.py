"""A figure's page from the export, opened from a file in Chromium: it unpacks itself, and its slider moves."""

from catalyst_core.export import steps
from catalyst_core.export.drawn import MOMENTS
from catalyst_core.export.page import figure_page
from catalyst_core.frames import RaceView
from tests import synthetic


def test_a_mailed_page_draws_itself_and_goes_through_the_steps(page, tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "MOST", 5)
    store = synthetic.MemoryStore()
    view = RaceView(store, synthetic.whole_race(store, synthetic.config([{"name": "catalyst"}, {"name": "l1"}])).id)
    view.refresh()
    spec, captions = steps.stepped(view, MOMENTS["magnitudes"], "")
    (tmp_path / "mailed.html").write_text(figure_page(spec, captions, title="Filter magnitudes", name="magnitudes"))
    page.context.set_offline(True)
    page.goto((tmp_path / "mailed.html").as_uri())
    page.locator(".slider-label-group, .slider-group").first.wait_for()
    axis = "document.getElementById('plot')._fullLayout.xaxis.range"
    before = page.evaluate(axis)
    assert page.get_by_text("Each contender at its own cut, as on paper").first.is_visible()
    rail = page.locator(".slider-rail-touch-rect").bounding_box()
    page.mouse.click(rail["x"] + rail["width"] / (len(captions) - 1), rail["y"] + rail["height"] / 2)
    page.get_by_text(spec.layout["sliders"][0]["steps"][1]["label"]).first.wait_for()
    assert page.locator("#caption").text_content() == captions[1] != captions[0]
    assert page.evaluate(axis) == before

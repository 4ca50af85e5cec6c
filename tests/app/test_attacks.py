"""What somebody may put into the address of a page, a text field or a title: one sentence, or it is shown as the text it is."""

import pytest

from tests import synthetic
from tests.app.helpers import fill, healthy, run, words

SMALL = {"methods": ({"name": "catalyst"}, {"name": "l1"})}
MARKUP = "<script>alert(1)</script>![x](https://evil.example/x.png)"
RUBBISH = {
    "path": "../../etc/passwd",
    "zero": "ab\0cd",
    "long": "x" * 10_000,
    "digits": "9" * 10_000,
    "markup": MARKUP,
    "sql": "x' OR 1=1; --",
    "wild": "%",
    "other digits": "٣٤٥",
    "emoji": "🐈" * 100,
    "turned": "abc\u202egnp.exe",
    "list": ",,,,",
}
PAGES = ("race", "results", "lab", "theory", "runs")


def calm(at):
    """No traceback, no error of our own, and errors that are short and hold no live markup."""
    assert not at.exception
    for said in (one.value for one in at.error):
        assert "error of our own" not in said
        assert len(said) < 400
        assert said.isprintable()
        assert "<script" not in said.replace("\\<", "")
        assert "![" not in said
    return at


@pytest.mark.parametrize("kind", RUBBISH)
def test_a_race_that_cannot_be(kind, store):
    at = calm(run(race=RUBBISH[kind]))
    assert len(at.error) == 1
    assert any(button.label == "Start race" for button in at.button)  # the form is there all the same


@pytest.mark.parametrize("kind", RUBBISH)
def test_rubbish_in_the_rest_of_the_address(kind, store):
    race = fill(store, synthetic.config(**SMALL))
    at = healthy(calm(run(race=race.id, step=RUBBISH[kind], methods=RUBBISH[kind])))
    assert at.title[0].value.startswith("digits")


@pytest.mark.parametrize("kind", ["zero", "long", "markup"])
def test_a_form_that_begins_with_a_race_that_cannot_be(kind, store):
    at = calm(run(race="new", **{"from": RUBBISH[kind]}))
    assert len(at.error) == 1
    assert any(button.label == "Start race" for button in at.button)


@pytest.mark.parametrize("kind", ["zero", "long", "markup"])
@pytest.mark.parametrize("page", ["results", "lab", "runs"])
def test_rubbish_in_the_address_of_other_pages(page, kind, store):
    fill(store, synthetic.config(**SMALL))
    at = healthy(calm(run(page, race=RUBBISH[kind])))
    assert at.title[0].value == page.capitalize()


@pytest.mark.parametrize(
    "title", [MARKUP, "# :material/home: $x$ `a` **b**", "🐈 שלום", "x" * 120], ids=["html", "md", "words", "long"]
)
def test_a_title_is_shown_as_the_text_it_is(title, store):
    race = fill(store, synthetic.config(title=title, **SMALL))
    for page in PAGES:
        at = healthy(run(page, race=race.id))
        said = words(at)
        for live in ("<script", "![x](", ":material/home:", "$x$", "`a`", "**b**"):
            assert live not in said.replace(f"\\{live}", ""), page


@pytest.mark.parametrize("kind", ["long", "digits", "markup", "turned", "list"])
def test_rubbish_in_the_form_starts_nothing(kind, store, started):
    at = healthy(run())
    at.text_input(key="form_seeds@").input(RUBBISH[kind])
    next(button for button in at.button if button.label == "Start race").click().run()
    assert len(calm(at).error) == 1
    assert (store.races(), started) == ([], [])


@pytest.mark.parametrize("kind", ["turned", "zero"])
def test_a_forged_title_is_refused(kind, store):
    race = fill(store, synthetic.config(title="Mine", **SMALL))
    at = healthy(run("runs", race=race.id))
    at.text_input(key=f"title_{race.id}").input(RUBBISH[kind])
    next(button for button in at.button if button.label == "Rename").click().run()
    assert len(calm(at).error) == 1
    assert store.race(race.id).title == "Mine"

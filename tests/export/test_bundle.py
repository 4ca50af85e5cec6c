"""The folder and the zip: complete, readable without us and without a network, and never half-written."""

import html
import io
import json
import re
import zipfile

import pandas as pd
import pytest
from pypdf import PdfReader

from catalyst_core import export, figures, frames
from catalyst_core.cli import main
from catalyst_core.config import RaceConfig
from catalyst_core.errors import ConfigError, NotFoundError
from catalyst_core.export import bundle, drawn, steps
from catalyst_core.frames import RaceView
from catalyst_core.store.analyses import analysis_path
from tests import synthetic


@pytest.fixture(scope="module")
def store():
    store = synthetic.MemoryStore()
    methods = ({"name": "catalyst"}, {"name": "l1"}, {"name": "none"})
    synthetic.whole_race(store, synthetic.config(methods, seeds=(0, 1), title="a <b>bold</b> race"))
    return store


@pytest.fixture(scope="module")
def race(store):
    return store.races()[0]


@pytest.fixture(scope="module")
def folder(store, race, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "figures of a race"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, "MOST", 3)  # the sliders have tests of their own
        files = export.write_bundle(store, race.id, out)
    assert sorted(files) == sorted(path for path in out.rglob("*") if path.is_file())
    return out


def test_every_figure_is_there_in_five_formats(folder):
    for name in drawn.FIGURES:
        for kind, sign in {"pdf": b"%PDF", "svg": b"<?xml", "png": b"\x89PNG", "html": b"<!doctype", "csv": b"panel,"}.items():
            assert (folder / "figures" / f"{name}.{kind}").read_bytes().startswith(sign)
        for kind, sign in {"pdf": b"%PDF", "svg": b"<?xml"}.items():
            assert (folder / "figures" / "column" / f"{name}.{kind}").read_bytes().startswith(sign)


def test_the_table_has_exactly_the_plotted_numbers(folder, store, race):
    view = RaceView(store, race.id)
    view.refresh()
    figure = figures.plot_margins(frames.filters_frame(view, until_cut=True))
    table = pd.read_csv(folder / "figures" / "margins.csv", keep_default_na=True)
    wanted = figures.plotted(figure)
    assert len(table) == len(wanted) > 0
    assert list(table["x"]) == [float(x) for x in wanted["x"]]
    assert list(table["y"]) == [float(y) for y in wanted["y"]]


def test_pages_stand_for_themselves(folder):
    for page in (folder / "report.html", *sorted((folder / "figures").glob("*.html"))):
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<(script|link|img|iframe)[^>]*\s(src|href)=", text)
        assert not re.search(r'(src|href)\s*=\s*"(https?:)?//', text.partition('id="plotly"')[0])


def test_the_report_has_everything_and_no_script(folder, race):
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert text.count("<svg") == text.count("<figure>") == len(drawn.FIGURES)
    names = re.findall(r'\bid="([^"]*)"', text)
    assert len(names) == len(set(names))
    assert set(re.findall(r'(?:url\(|href=")#([^")]*)', text)) <= set(names)
    for told in (export.repeat_command(race.config), "Right after the cut: Catalyst", "±", "pruning_ratio", "matplotlib", "ada"):
        assert html.escape(told) in text


def test_what_people_typed_is_not_markup(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "a &lt;b&gt;bold" in text
    assert "<b>bold" not in text


def test_the_configuration_can_be_read_back(folder, race):
    assert RaceConfig.model_validate_json((folder / "config.json").read_text()) == race.config


def test_versions_seeds_and_command_are_there(folder, race):
    found = json.loads((folder / "versions.json").read_text())
    assert found["packages"]["matplotlib"]
    readme = (folder / "README.txt").read_text(encoding="utf-8")
    assert export.repeat_command(race.config) in readme
    assert "Seeds: 0, 1." in readme
    assert "changes.csv" in readme
    assert len(pd.read_csv(folder / "changes.csv")) == 4


def test_the_ledger_is_there_three_times(folder, race):
    table = pd.read_csv(folder / "ledger.csv")
    assert len(table) == 6
    assert table["finetuned_accuracy"].iloc[0] == race.runs[0].ledger["finetuned_accuracy"]
    rows = (folder / "ledger.md").read_text(encoding="utf-8").splitlines()
    assert rows[2].startswith("| Catalyst | 2 | ")
    assert " ± " in rows[2]
    assert r"\toprule" in (folder / "ledger.tex").read_text(encoding="utf-8")


def test_a_race_without_data_exports_what_there_is(tmp_path, monkeypatch):
    store = synthetic.MemoryStore()
    race = store.create(synthetic.config())
    monkeypatch.setattr(drawn, "FIGURES", {name: drawn.FIGURES[name] for name in ("margins", "accuracy_macs")})
    export.write_bundle(store, race.id, tmp_path / "out")
    text = PdfReader(tmp_path / "out" / "figures" / "margins.pdf").pages[0].extract_text()
    assert "All contenders are queued." in text
    assert "no ledger" in (tmp_path / "out" / "ledger.md").read_text()


@pytest.fixture
def quick(monkeypatch):
    """A bundle of one figure."""
    monkeypatch.setattr(drawn, "FIGURES", {"cost": drawn.FIGURES["cost"]})


def test_an_earlier_export_is_replaced(quick, store, race, tmp_path):
    out = tmp_path / "out"
    export.write_bundle(store, race.id, out)
    (out / "figures" / "old.pdf").write_text("left over")
    export.write_bundle(store, race.id, out)
    assert not (out / "figures" / "old.pdf").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_used(quick, store, race, tmp_path):
    (tmp_path / "out").mkdir()
    assert export.write_bundle(store, race.id, tmp_path / "out")


def test_a_folder_of_somebody_else_is_left_alone(quick, store, race, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="holds other files"):
        export.write_bundle(store, race.id, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ConfigError, match="is a file"):
        export.write_bundle(store, race.id, tmp_path / "thesis.tex")


def test_a_failure_leaves_nothing_behind(quick, store, race, tmp_path, monkeypatch):
    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(ConfigError, match="No space left on device"):
        export.write_bundle(store, race.id, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_writes_exactly_the_bytes_of_the_page(quick, store, race, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("catalyst_core.cli.commands.open_store", lambda url: store)
    out = tmp_path / "new" / "race.zip"
    for _ in range(2):  # an earlier export is replaced
        assert main(["export", race.id, "--out", str(out), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["bytes"] == out.stat().st_size
        assert out.read_bytes() == export.bundle_zip(store, race.id)
    assert [path.name for path in out.parent.iterdir()] == ["race.zip"]


def test_the_zip_holds_the_same_files_as_the_folder(quick, store, race, tmp_path):
    archive = zipfile.ZipFile(io.BytesIO(export.bundle_zip(store, race.id)))
    assert archive.namelist() == sorted(archive.namelist())
    export.write_bundle(store, race.id, tmp_path / "out")
    files = {path.relative_to(tmp_path / "out").as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    assert {name: archive.read(f"catalyst-{race.id}/{name}") for name in files} == {
        name: path.read_bytes() for name, path in files.items()
    }
    assert len(archive.namelist()) == len(files)


def test_a_zip_of_somebody_else_is_left_alone(quick, store, race, tmp_path):
    (tmp_path / "thesis.zip").write_bytes(b"years of work")
    with pytest.raises(ConfigError, match="not an earlier export"):
        export.write_zip(store, race.id, tmp_path / "thesis.zip")
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(ConfigError, match="is a folder"):
        export.write_zip(store, race.id, tmp_path / "folder.zip")
    with pytest.raises(ConfigError, match="cannot be written"):
        export.write_zip(store, race.id, tmp_path / "thesis.zip" / "race.zip")
    assert (tmp_path / "thesis.zip").read_bytes() == b"years of work"


def test_an_unknown_race_is_not_found(store, tmp_path):
    with pytest.raises(NotFoundError):
        export.write_bundle(store, "nothing", tmp_path / "out")
    with pytest.raises(NotFoundError):
        export.bundle_zip(store, "nothing")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["pdf", "svg", "png", "html", "csv"])
def test_one_figure_as_one_file(kind, race):
    figure = figures.plot_cost(frames.ledger_frame(race))
    content = export.figure_bytes(figure, kind, name="cost", caption="It costs <little>.")
    if kind == "html":
        text = content.decode()
        assert "It costs &lt;little&gt;." in text
        assert "<script src" not in text
        assert len(content) < 3e6
    if kind == "csv":
        assert content == figures.plotted(figure).to_csv(index=False, lineterminator="\n").encode()
    assert len(content) > 100


def test_what_the_lab_measured_is_among_the_figures(tmp_path, monkeypatch):
    store = synthetic.MemoryStore()
    race = synthetic.whole_race(store, synthetic.config(methods=({"name": "catalyst"},)))
    point = {"ratio": 0.5, "own": True, "channels": 80, "macs": 25, "accuracy": 0.9, "recalibrated_accuracy": 0.9}
    whole = {"macs": 100, "images": 360, "dense_accuracy": 0.98, "uncut_accuracy": 0.97}
    audit = {"method": "catalyst", "factors": "any", "correlation": -0.5, "low": -0.6, "high": -0.4, "jaccard": 0.4}
    audit |= {"identical": False, "bit_identical": False, "max_abs_logit_change_float32": 1e-6}
    results = {"budgets": whole | {"points": [point | {"max_abs_logit_change": 0.0}]}, "rescale": {"results": [audit]}}
    for kind, result in results.items():
        path = analysis_path(tmp_path, race.runs[0].id, kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"state": "done", "revision": 0, "result": result}))
    store.files = tmp_path
    monkeypatch.setattr(drawn, "FIGURES", {"cost": drawn.FIGURES["cost"]})
    view = RaceView(store, race.id)
    view.refresh()
    files = bundle.bundle_files(view)
    assert "25.0" in files["figures/what_if.csv"].decode()
    assert "-0.5" in files["figures/rescale.csv"].decode()
    assert "Planted rescale audit" in files["report.html"].decode()
    path.write_text(json.dumps({"state": "done", "revision": 1, "result": result}))  # of a cut that was withdrawn
    assert set(drawn.drawn_of(view)) == {"cost", "what_if"}

"""The notebook of docs runs from its first cell to its last, on a folder of its reader's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

import hff
from hff.examples.ready import EXAMPLES_FOLDER
from tests.support.page_browser import real_model

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "corpus.ipynb"


def test_it_reads_a_folder_and_draws(tmp_path: Path, monkeypatch, capsys):
    for name in ("voice.wav", "portrait.jpg"):
        shutil.copy(EXAMPLES_FOLDER / name, tmp_path / name)
    (tmp_path / "empty.txt").touch()
    (tmp_path / "notes.odt").touch()
    model = real_model()
    monkeypatch.setattr(hff, "load", lambda: model)
    mpl.use("agg")
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells), (
        "it is kept as it was written"
    )
    names: dict = {}
    for number, cell in enumerate(cells):
        exec("".join(cell["source"]), names)
        if number == 0:
            names["FOLDER"] = str(tmp_path)
    assert list(names["table"].index) == ["portrait.jpg", "voice.wav"]
    assert names["table"]["alpha vision"].tolist() == [1.0, 0.0]
    assert "empty.txt" in capsys.readouterr().out
    assert len(plt.get_fignums()) == 2
    plt.close("all")

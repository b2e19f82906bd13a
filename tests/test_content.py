from pathlib import Path

import llm_canaries
from llm_canaries.content import content

ROOT = Path(__file__).parents[1]


def test_a_checkout_reads_the_folders_beside_it_and_not_an_installed_copy(tmp_path, monkeypatch):
    texts = content("canaries")
    assert texts == {path.name: path.read_text() for path in sorted((ROOT / "canaries").iterdir())}


def test_a_wheel_reads_what_it_holds(tmp_path, monkeypatch):
    folder = tmp_path / "_content" / "canaries"
    folder.mkdir(parents=True)
    (folder / "mine.yml").write_text("mine: {}\n")
    (folder / "sub").mkdir()
    monkeypatch.setattr("llm_canaries.content.files", lambda package: tmp_path)
    assert content("canaries") == {"mine.yml": "mine: {}\n"}
    assert llm_canaries.__file__ is not None

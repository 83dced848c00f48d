"""The ready-made models in ``weights/pretrained``: only the right files are accepted, and none is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from hff import pretrained, weights
from hff.errors import WeightsError
from hff.locale import translate, using

PARTS = {"BERT": pretrained.BERT, "Whisper": pretrained.WHISPER, "CenterFace": pretrained.CENTERFACE}
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of "abc", from FIPS 180-2
SHIPPED = Path(__file__).resolve().parents[1] / "weights"
MEGABYTE = 1_000_000


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Of a made-up part, in a folder of weights of one's own, with one file."""
    monkeypatch.setenv("HFF_WEIGHTS", str(tmp_path))
    place = tmp_path / pretrained.FOLDER / "made-up"
    place.mkdir(parents=True)
    (place / "weights.bin").write_bytes(b"abc")
    return place


def part(name: str = "weights.bin", digest: str = ABC) -> pretrained.Part:
    return pretrained.Part("made-up", ((name, digest),), "a test")


@pytest.mark.parametrize("name", PARTS)
def test_the_shipped_files_are_the_right_ones(name: str):
    folder = pretrained.checked_folder(PARTS[name])
    for file, digest in PARTS[name].files:
        assert pretrained.sha256(folder / file) == digest


def test_nothing_lies_there_that_is_not_checked():
    """But for what is said of them."""
    known = {f"{part.folder}/{name}" for part in PARTS.values() for name, _ in part.files}
    place = SHIPPED / pretrained.FOLDER
    there = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert there - known == {"README.md", "minilm/LICENSE"}


def test_no_file_of_the_weights_is_too_large_for_a_repository():
    sizes = {path.name: path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()}
    assert max(sizes.values()) < 48 * MEGABYTE
    assert sum(sizes.values()) < 160 * MEGABYTE


def test_one_folder_of_weights_may_bring_its_own_and_the_shipped_ones_do_for_the_others(folder):
    assert pretrained.checked_folder(part()) == folder
    assert pretrained.checked_folder(pretrained.CENTERFACE).parents[1] == weights.search_path()[1]


def test_a_file_is_hashed_once(folder):
    assert pretrained.checked_folder(part()) == folder
    (folder / "weights.bin").write_bytes(b"changed")
    assert pretrained.checked_folder(part()) == folder


def test_a_changed_file_is_not_loaded(folder):
    with pytest.raises(WeightsError, match=r"weights\.bin is not the file .* fetch the repository's weights again"):
        pretrained.checked_folder(part(digest="0" * 64))


def test_a_missing_file_says_what_to_do_and_once_it_is_there_all_is_well(folder):
    with pytest.raises(WeightsError, match=r"gone\.bin is missing, which is needed for a test") as missing:
        pretrained.checked_folder(part("gone.bin"))
    with using("de"):
        assert "gone.bin fehlt, gebraucht für a test; holen Sie" in translate(missing.value)
    (folder / "gone.bin").write_bytes(b"abc")
    assert pretrained.checked_folder(part("gone.bin")) == folder


def test_what_a_part_is_for_is_said_in_the_language_of_the_moment():
    assert pretrained.CENTERFACE.purpose == "finding faces (CenterFace)"
    with using("de"):
        assert translate(pretrained.CENTERFACE.purpose) == "das Finden von Gesichtern (CenterFace)"

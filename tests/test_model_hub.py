"""Weights from a folder or the Hugging Face Hub, and there: no request is made here, and none is made for a folder."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub import ModelCard, constants, hub_mixin

import hff
from hff import weights
from hff.errors import WeightsError
from hff.model.hff import HFF
from hff.model_hub import is_hub_name
from hff.pipeline import analyzer
from hff.pipeline.features import Encoders
from tests.support.model_fixtures import assert_same, random_clips, small_model

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"


@pytest.fixture(autouse=True)
def no_network(monkeypatch) -> None:
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """Weights of both speech encoders, each with its own small fusion; the encoders are not looked into."""
    monkeypatch.setattr(analyzer, "load_encoders", lambda *_: Encoders())
    made = tmp_path / "weights"
    for seed, encoder in enumerate(("mfcc-cnn", "whisper")):
        model = small_model(seed, speech_encoder=encoder)
        for part in weights.part_names():
            state = model.state_dict() if part == "fusion" else {}
            weights.save(weights.part_path(made, part, encoder), state, model.config.to_dict(), half=False)
    shutil.copy(WEIGHTS / "MODEL_CARD.md", made)
    shutil.copy(WEIGHTS / "LICENSE", made)
    return made


@pytest.fixture
def sent(monkeypatch) -> dict[str, dict[str, bytes]]:
    """What is sent to a Hub that is not there: the files of each repository."""
    taken: dict[str, dict[str, bytes]] = {}

    class Api:
        def __init__(self, token=None) -> None: ...

        def create_repo(self, repo_id: str, private=None, exist_ok=False) -> huggingface_hub.RepoUrl:
            return huggingface_hub.RepoUrl(f"https://huggingface.co/{repo_id}")

        def upload_folder(self, repo_id: str, folder_path: Path, **_) -> str:
            taken[repo_id] = {path.name: path.read_bytes() for path in Path(folder_path).iterdir()}
            return f"https://huggingface.co/{repo_id}/commit/1"

    monkeypatch.setattr(hub_mixin, "HfApi", Api)
    return taken


@pytest.fixture
def hub(monkeypatch, folder: Path) -> list[dict]:
    """A Hub that has one repository, "somebody/hff"; notes what it was asked for."""
    asked: list[dict] = []

    def download(repo_id: str, **options) -> str:
        asked.append({"repo_id": repo_id} | options)
        if repo_id != "somebody/hff":
            raise FileNotFoundError(f"no such repository: {repo_id}.\nPlease log in.")
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return asked


@pytest.mark.parametrize(
    ("name", "on_the_hub"),
    [
        ("somebody/hff", True),
        ("some-body/HFF.v2_final", True),
        ("weights", False),
        ("./runs/weights", False),
        ("./weights", False),
        ("/srv/weights", False),
        ("../weights", False),
        ("runs/first/weights", False),
        ("~/weights", False),
        ("https://example.org/hff", False),
        ("hff\\weights", False),
        ("", False),
        (Path("somebody/hff"), False),
    ],
)
def test_what_is_a_name_of_the_hub(name, on_the_hub: bool):
    assert is_hub_name(name) == on_the_hub


def test_a_folder_here_is_taken_before_a_repository_of_its_name(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "somebody" / "hff").mkdir(parents=True)
    assert not is_hub_name("somebody/hff")


def test_a_fusion_comes_back_as_it_was_saved(tmp_path: Path):
    model = small_model(speech_encoder="whisper", labels=("negative", "positive"))
    model.save_pretrained(tmp_path / "mine")
    files = {path.name for path in (tmp_path / "mine").iterdir()}
    assert files == {"fusion-whisper.safetensors", "config.json", "README.md"}
    again = hff.HFF.from_pretrained(tmp_path / "mine")
    assert not again.training
    assert again.config == model.config
    clips = random_clips(model.config, 2, 3)
    assert_same(again(**clips), model(**clips), atol=0)
    card = ModelCard.load(tmp_path / "mine" / "README.md")
    assert card.data.library_name == "hff"
    assert "emotion-recognition" in card.data.tags
    assert "Not for decisions about people" in card.text


def test_the_shipped_fusions_by_their_speech_encoder():
    for name in ("mfcc-cnn", "whisper"):
        assert HFF.from_pretrained(WEIGHTS, speech_encoder=name).config.speech_encoder == name
    assert HFF.from_pretrained(str(WEIGHTS)).config.speech_encoder == "whisper"  # as hff.load() prefers


def test_a_fusion_that_is_not_there(folder: Path, tmp_path: Path):
    with pytest.raises(WeightsError, match="No trained weights"):
        HFF.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(WeightsError, match="No trained weights"):
        HFF.from_pretrained("weights-of-nobody")
    (folder / "fusion.safetensors").unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        HFF.from_pretrained(folder, speech_encoder="mfcc-cnn")


def test_a_whole_model_comes_back_as_it_was_saved(folder: Path, tmp_path: Path):
    model = hff.Analyzer.from_pretrained(folder, device="cpu")
    model.save_pretrained(tmp_path / "copy")
    copied = {path.name: path for path in (tmp_path / "copy").iterdir()}
    for path in folder.iterdir():
        assert copied.pop(path.name.replace("MODEL_CARD", "README")).read_bytes() == path.read_bytes()
    assert set(copied) == {"config.json"}
    assert json.loads(copied["config.json"].read_text()) == model.config.to_dict()
    again = hff.Analyzer.from_pretrained(str(tmp_path / "copy"), device="cpu", speech_encoder="mfcc-cnn")
    assert again.config == HFF.from_pretrained(folder, speech_encoder="mfcc-cnn").config
    again.save_pretrained(tmp_path / "copy")  # onto itself
    assert (tmp_path / "copy" / "README.md").read_bytes() == (folder / "MODEL_CARD.md").read_bytes()


def test_what_is_sent_to_the_hub_is_what_is_saved(folder: Path, sent):
    hff.load("cpu", folder).push_to_hub("somebody/hff", private=True)
    files = sent["somebody/hff"]
    assert files["README.md"] == (folder / "MODEL_CARD.md").read_bytes()
    assert files["speech-whisper.safetensors"] == (folder / "speech-whisper.safetensors").read_bytes()
    assert not any(str(folder).encode() in content for content in files.values())  # no path of this machine
    HFF.from_pretrained(folder).push_to_hub("somebody/fusion")
    assert set(sent["somebody/fusion"]) == {"fusion-whisper.safetensors", "config.json", "README.md"}


def test_a_name_of_the_hub_is_fetched_from_there(folder: Path, hub: list[dict]):
    model = hff.Analyzer.from_pretrained("somebody/hff", device="cpu", revision="v2")
    assert model.folder == folder
    fusion = HFF.from_pretrained("somebody/hff")
    torch.testing.assert_close(fusion.state_dict(), model.model.state_dict())
    whole, part = hub
    assert (whole["repo_id"], whole["revision"]) == ("somebody/hff", "v2")
    assert part["allow_patterns"] == ["fusion*.safetensors"]  # not 100 MB for the 6 that are needed
    with pytest.raises(
        WeightsError, match=r"“nobody/hff” could not be fetched .*: no such repository: nobody/hff\. A f"
    ):
        HFF.from_pretrained("nobody/hff")


def test_what_is_offline_stays_so(tmp_path: Path, monkeypatch):
    """As the page, the command line and the training are."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for load in (HFF.from_pretrained, hff.Analyzer.from_pretrained):
        with pytest.raises(WeightsError, match="“somebody/hff” could not be fetched"):
            load("somebody/hff", cache_dir=tmp_path)


def test_only_what_asks_for_the_hub_by_name_can_reach_it(folder: Path, hub: list[dict]):
    hff.load("cpu", folder)
    hff.Analyzer.from_pretrained(folder, device="cpu")
    with pytest.raises(WeightsError, match="No trained weights"):
        hff.load("cpu", "somebody/hff")
    assert hub == []


def test_the_library_names_its_classes():
    assert hff.Analyzer is analyzer.Analyzer
    assert hff.HFF is HFF
    with pytest.raises(AttributeError, match="no attribute"):
        _ = hff.Emotion

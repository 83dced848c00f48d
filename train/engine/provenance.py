"""Which weights cached features come from, so that features of old encoders are not taken for those of new ones."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from hff import weights
from hff.errors import HFFError
from hff.locale import say
from train.engine.whole_files import write_whole


def tensors_digest(path: Path) -> str:
    """SHA-256 over the config and tensors of a file of weights: the order of its header is left to chance."""
    state, config = weights.load(path)
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


def check_provenance(folder: Path, sources: dict[str, Path]) -> None:
    """Note in ``folder / "made_from.json"`` the weights that ``PART-*.safetensors`` there are made from.

    sources: part -> its file of weights. Files that were made from others raise ``HFFError``, naming them.
    """
    path = folder / "made_from.json"
    noted = json.loads(path.read_text()) if path.exists() else {}
    now = {part: tensors_digest(source) for part, source in sources.items()}
    stale = [
        f"{part}-*.safetensors"
        for part, digest in now.items()
        if noted.get(part, digest) != digest and any(folder.glob(f"{part}-*.safetensors"))
    ]
    if stale:
        raise HFFError(say("features.stale", files=", ".join(stale), folder=folder))
    write_whole(path, json.dumps(noted | now, indent=1) + "\n")

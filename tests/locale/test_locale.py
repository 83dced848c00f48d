"""The catalogues: complete, alike in shape, and used; messages and numbers in a language."""

from __future__ import annotations

import ast
import json
import pickle
import re
import shutil
from pathlib import Path

import pytest

import hff.errors
import hff.locale as locale
import train
from hff.errors import HFFError, InputError
from hff.lab.lesson_files import LESSONS_FOLDER, load_lessons
from hff.locale import names, number_format, say, sentence, speaking, texts, translate, using
from hff.locale.catalogue import catalogue, register_language
from hff.locale.lists import listed
from tests.support.translations import leaves, shouted, untranslated, untranslated_lessons
from train.corpora import base

OTHERS = [name for name in locale.languages() if name != locale.DEFAULT]
BY_WORD = {"GLOSSARY"}  # entries whose keys are words of the language themselves
PLURALS = {"zero", "one", "two", "few", "many", "other"}
TERMS = {"ALPHA_MEANS", "BETA_MEANS", "SHAPLEY_MEANS"}  # held to be said alike everywhere by the glossary's tests
PACKAGE = Path(locale.__file__).parents[1]
TREES = {  # of every module of ours
    path: ast.parse(path.read_text(encoding="utf-8"))
    for package in (PACKAGE, Path(train.__file__).parent)
    for path in package.rglob("*.py")
}


def shape(value: object) -> object:
    """What two languages have in common of an entry: keys, lengths and the names to be filled in."""
    if isinstance(value, dict) and value.keys() <= PLURALS and "other" in value:  # each language has forms of its own
        return shape(value["other"])
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [shape(part) for part in value]
    return sorted(set(re.findall(r"{(\w+)", str(value))))


@pytest.mark.parametrize("name", OTHERS)
def test_a_language_has_every_entry_in_the_same_shape(name):
    ours, english = catalogue(name), catalogue(locale.DEFAULT)
    assert set(ours) == set(english)
    for key in english:
        if key in BY_WORD:
            assert len(ours[key]) == len(english[key]), key
        else:
            assert shape(ours[key]) == shape(english[key]), key


def texts_read() -> tuple[set[str], set[str]]:
    """Attributes of ``texts`` that the code reads, and all strings in it: keys are said by their name."""
    attributes, strings = set(), set()
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "texts" and node.attr.isupper():
                attributes.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                strings.add(node.value)  # the parts of f-strings too
    for path in PACKAGE.glob("page/templates/*.html"):
        attributes |= set(re.findall(r"\btexts\.([A-Z][A-Z0-9_]*)", path.read_text(encoding="utf-8")))
    return attributes, strings


def test_every_text_that_is_asked_for_is_there_and_none_is_idle():
    known = catalogue(locale.DEFAULT)
    attributes, strings = texts_read()
    assert attributes <= set(known)
    beginnings = tuple(part for part in strings if len(part) > 5 and part.endswith("_"))
    assert [key for key in known if key not in attributes | strings | TERMS and not key.startswith(beginnings)] == []


def test_a_sentence_is_given_all_that_it_names():
    """What is lacking would be noticed only when the error comes about."""
    lacking = []
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("say", "sentence"):
                given = {word.arg for word in node.keywords}
                first = node.args[0] if node.args else None
                if isinstance(first, ast.Constant) and None not in given:
                    named = shape(catalogue(locale.DEFAULT)[first.value])
                    lacking += [f"{path.name}:{node.lineno} {name}" for name in named if name not in given]
    assert lacking == []


@pytest.mark.parametrize("name", OTHERS)
def test_nothing_of_a_language_is_still_english(name):
    assert untranslated(name) == []
    assert untranslated_lessons(name) == []


def test_errors_and_warnings_come_from_the_catalogue():
    """A sentence written into the code would stay English on the German page, and in another program's language."""
    assert [f"{path.name}:{line}" for path, tree in TREES.items() for line in written_into(tree)] == []


ERRORS = {name for name, one in vars(hff.errors).items() if isinstance(one, type) and issubclass(one, HFFError)}
ERRORS |= {  # those of other modules
    node.name
    for tree in TREES.values()
    for node in ast.walk(tree)
    if isinstance(node, ast.ClassDef) and any(getattr(one, "id", "") in ERRORS for one in node.bases)
}
ERRORS |= {"Refused"}  # of an upload


def written_into(tree: ast.AST) -> list[int]:
    """The lines of code in which an error or a warning is given a sentence that stands there."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in ERRORS and any(map(is_sentence, node.args)):
                found.append(node.lineno)
        elif isinstance(node, ast.keyword) and node.arg == "warnings" and isinstance(node.value, ast.List):
            found += [part.lineno for part in node.value.elts if is_sentence(part)]
    return found


def is_sentence(node: ast.AST) -> bool:
    """Whether a value is a text of the code itself: plain, an f-string, put together, chosen, or filled in."""
    if isinstance(node, ast.BinOp):
        return is_sentence(node.left) or is_sentence(node.right)
    if isinstance(node, ast.IfExp):
        return is_sentence(node.body) or is_sentence(node.orelse)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return is_sentence(node.func.value)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


@pytest.mark.parametrize(
    "raised",
    ["'no'", "f'no {x}'", "'no' + x", "'no {}'.format(x)", "'no' if x else say('a.b')", "', '.join(x)"],
)
def test_a_sentence_in_the_code_would_be_found(raised: str):
    for error in ("InputError", "errors.WeightsError", "TrainingError", "base.CorpusError"):
        assert written_into(ast.parse(f"def f(x):\n    raise {error}({raised})\n")) == [2]
    assert written_into(ast.parse(f"reading(warnings=[{raised}])")) == [1]
    right = "raise InputError(say('a.b', name=x))\nraise InputError(texts.NO)\nraise ValueError('no')"
    assert written_into(ast.parse(right)) == []


def test_sentences_are_not_put_together_from_pieces():
    """Another language has another order of words: what is shown is one entry, filled in."""
    found = []
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            values = getattr(node, "values", ()) if isinstance(node, ast.JoinedStr) else ()
            joined = [part.value for part in values if isinstance(part, ast.FormattedValue)]
            joined += [node.left, node.right] if isinstance(node, ast.BinOp) else []
            if any(map(is_text, joined)):
                found.append(f"{path.name}:{node.lineno}")
    for path in PACKAGE.glob("page/templates/*.html"):
        found += re.findall(r"texts\.\w+ *~.*|~ *texts\.\w+", path.read_text(encoding="utf-8"))
    assert found == []


@pytest.mark.parametrize("name", locale.languages())
def test_no_verb_is_glued_to_a_name_that_may_be_many(name):
    """ "{The} is gone" would say of the words that they is gone: such a clause is a form of the modality."""
    filled = r"{(the|The|modality|names)}"
    verbs = "is|are|was|has|gets?|lacks?|falls?|rises?|ist|sind|hat|haben|wird|werden|fehlt|fehlen"
    glued = rf"(?<!of ){filled} ({verbs})\b|\b(fehlt|fehlen|there is|es gibt kein\w*) {filled}"
    told = {place: text for place, text in leaves("", catalogue(name)) if re.search(glued, text)}
    assert told == {}


@pytest.mark.parametrize("name", locale.languages())
def test_nothing_is_filled_in_as_python_writes_it(name):
    """What is quoted has the quotation marks of the language, not Python's."""
    assert [place for place, text in leaves("", catalogue(name)) if "!r}" in text] == []


@pytest.mark.parametrize("name", locale.languages())
def test_a_modality_without_forms_in_a_language_goes_by_its_own_name(name):
    with using(name):
        forms = [names.modality("qqq", form) for form in texts.MODALITY_FORMS["other"]]
        assert forms
        assert all("qqq" in form.lower() for form in forms)


def is_text(node: ast.AST) -> bool:
    """Whether it is ``texts.SOMETHING``, filled in or not."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        node = node.func.value
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "texts"


@pytest.fixture
def forgotten():
    yield
    register_language("xx", {})


@pytest.mark.usefixtures("forgotten")
def test_a_copied_language_is_reported_until_it_is_translated(tmp_path: Path):
    """ "xx" begins as the recipe says: English texts, German lessons."""
    english = catalogue(locale.DEFAULT)
    register_language("xx", english)
    assert {place.split(".")[0] for place in untranslated("xx")} > {"TITLE", "LESSON_RIGHT", "GLOSSARY", "LAB_COLUMNS"}
    register_language("xx", {key: shouted(entry) for key, entry in english.items()})
    assert untranslated("xx") == []
    one_left = {key: entry if key == "LESSON_RIGHT" else shouted(entry) for key, entry in english.items()}
    register_language("xx", one_left)
    assert untranslated("xx") == ["LESSON_RIGHT"]

    shutil.copytree(LESSONS_FOLDER.parent, tmp_path, dirs_exist_ok=True)
    shutil.copytree(tmp_path / "de", tmp_path / "xx")
    copied = untranslated_lessons("xx", tmp_path / "en")
    assert {"sarcasm: title", "sarcasm: then", "sarcasm: choice 1"} < set(copied)
    for path in (tmp_path / "xx").iterdir():
        path.write_text(json.dumps(shouted(json.loads(path.read_text("utf-8")))), encoding="utf-8")
    assert untranslated_lessons("xx", tmp_path / "en") == []
    (tmp_path / "xx/sarcasm.json").unlink()
    assert "sarcasm: why" in untranslated_lessons("xx", tmp_path / "en")


def test_a_half_translated_language_is_no_fault_of_another(tmp_path: Path):
    """Copied from the German lessons, as the recipe says, it is the copy that is not done, not the German."""
    shutil.copytree(LESSONS_FOLDER.parent, tmp_path, dirs_exist_ok=True)
    shutil.copytree(tmp_path / "de", tmp_path / "xx")
    assert untranslated_lessons("xx", tmp_path / "en")
    assert untranslated_lessons("de", tmp_path / "en") == []


def test_a_lesson_needs_no_next_step_in_any_language(tmp_path: Path):
    shutil.copytree(LESSONS_FOLDER.parent, tmp_path, dirs_exist_ok=True)
    for path in (tmp_path / "en/sarcasm.json", tmp_path / "de/sarcasm.json"):
        values = json.loads(path.read_text("utf-8"))
        del values["then"]
        path.write_text(json.dumps(values), encoding="utf-8")
    assert untranslated_lessons("de", tmp_path / "en") == []


@pytest.mark.parametrize("name", OTHERS)
def test_a_lesson_makes_the_same_claims_in_every_language(name):
    english = {lesson.key: lesson for lesson in load_lessons()}
    with using(name):
        told = {lesson.key: lesson for lesson in load_lessons()}
    assert set(told) == set(english)
    for key, lesson in told.items():
        assert [choice.claim for choice in lesson.choices] == [choice.claim for choice in english[key].choices]


def test_the_language_of_the_moment():
    assert texts.TAB_LAB == "Weighting lab"
    with using("de"):
        assert texts.TAB_LAB == "Gewichtslabor"
        assert names.emotion("fearful") == "ängstlich"
        assert names.modality("vision", "of") == "des Gesichts"
    assert texts.TAB_LAB == "Weighting lab"
    assert names.emotion("bored") == "bored"  # a label of other weights keeps its name
    assert names.modality("qqq") == "Qqq"


def test_a_message_is_english_text_that_can_be_said_again():
    message = say("LESSON_RIGHT", choice="pulse")
    assert message == "Right: pulse."
    copy = pickle.loads(pickle.dumps(message))
    with using("de"):
        assert translate(message) == translate(copy) == translate(ValueError(message)) == "Richtig: pulse."
        assert translate("plain") == "plain"
        assert sentence("SWEEP_AXIS", modality=names.modality("speech")) == "Stimme: Stärke der Störung"


def test_numbers_go_by_the_language():
    assert number_format.fixed_point(1234.5, 2, "en") == "1234.50"
    assert number_format.fixed_point(0.5, 2, "de") == "0,50"
    assert number_format.percentage(0.845, 1, "de") == "84,5\u00a0%"
    assert number_format.percentage(0.845, 1, "en") == "84.5%"
    assert number_format.percentage(12.3, 0, "en") == "1230%"
    assert number_format.percentage(0.845, 0, "tr") == "%84"


def test_a_sentence_with_a_number_goes_by_the_plurals_of_the_language():
    assert [sentence("SPREAD", count=n) for n in (1, 2)] == ["1 point", "2 points"]
    with using("de"):
        assert [sentence("SPREAD", count=n) for n in (1, 2)] == ["1 Punkt", "2 Punkte"]
    forms = {"one": "{count} punkt", "few": "{count} punkty", "many": "{count} punktów", "other": "{count} punktu"}
    said = [number_format.plural(forms, n, "pl") for n in (1, 2, 5, 22, 1.5)]
    assert said == [forms[category] for category in ("one", "few", "many", "few", "other")]
    assert number_format.plural({"other": "{count}点"}, 1, "ja") == "{count}点"


def test_lists_go_by_the_language():
    assert listed(iter("abc")) == "a, b, and c"
    assert [listed([]), listed("a"), listed("ab")] == ["", "a", "a and b"]
    with using("de"):
        assert listed("abcd") == "a, b, c und d"


def test_a_function_speaks_its_language_even_between_steps():
    def steps():
        yield texts.TAB_LAB
        yield texts.TAB_LAB

    german, english = speaking("de", steps)(), speaking("en", steps)()
    said = [next(german), next(english), next(german), next(english)]
    assert said == ["Gewichtslabor", "Weighting lab"] * 2
    assert speaking("de", lambda: texts.TAB_LAB)() == "Gewichtslabor"


def test_unknown_texts_are_no_attributes():
    with pytest.raises(AttributeError, match="NO_SUCH_TEXT"):
        _ = texts.NO_SUCH_TEXT
    with pytest.raises(KeyError):
        say("NO_SUCH_TEXT")


def test_errors_and_warnings_are_said_in_the_language_of_the_moment():
    reasons = (say("recording.no_voice"), "my own words")
    error = InputError(say("recording.nothing_there", reasons=reasons))
    assert str(error).startswith("No voice, no words and no face to read emotion from. No voice was found")
    assert str(error).endswith("my own words")
    long = say("recording.text_too_long", count=50_000, most=40_000)
    assert "50,000" in long
    with using("de"):
        assert translate(error).startswith("Es gibt keine Stimme")
        assert "Im Ton wurde keine Stimme gefunden" in translate(error)
        assert "50.000" in translate(long)


def test_an_error_of_the_training_is_said_in_the_language_of_the_moment(tmp_path: Path):
    with pytest.raises(base.CorpusError, match=r"^Diary: none of a\.csv, b\.csv under .* It comes from") as caught:
        base.find(tmp_path, ["a.csv", "b.csv"], "Diary", "diary.example")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    with using("de"):
        assert translate(copy) == (
            f"Diary: Unter {tmp_path} liegt nichts von a.csv, b.csv. Die Sammlung stammt von diary.example."
        )

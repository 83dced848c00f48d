"""Tiny corpora in the exact layouts that their readers read: the public ones, and those of one archive each.

Labels run in cycles, so that every split (also the one in six, or eight, held out of training) has all seven.
"""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from hff.examples.ready import EXAMPLES_FOLDER
from tests.support.media_fixtures import write_media, write_wav
from train.corpora.base import Utterance

RATE = 16_000
RAVDESS_EMOTIONS = ("01", "03", "04", "05", "06", "07", "08")  # in the order of hff.config.EMOTIONS; 02 is calm
EMODB_EMOTIONS = "NFTWAE"  # L is boredom
WORDS = {
    "neutral": "the train leaves at nine from platform",
    "happy": "what a lovely day I am so glad about number",
    "sad": "I miss her and cry every night since day",
    "angry": "stop that at once you fool or I will shout",
    "fearful": "something moved in the dark and I am scared of",
    "disgusted": "this food smells rotten like bin",
    "surprised": "wow I never saw that coming not in year",
}
EKMAN = dict(zip(WORDS, ("neutral", "joy", "sadness", "anger", "fear", "disgust", "surprise"), strict=True))
FINE_NUMBERS = dict(zip(WORDS, (27, 17, 25, 2, 14, 11, 26), strict=True))  # of GoEmotions' 28
TRAINING_LINES = 42  # six of each label; one in six is held out, and 42 / 6 are one of each


def write_rows(path: Path, header: list[str], rows: list[list], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([header] * bool(header) + rows)


def spelt(number: int) -> str:
    """A made-up word for a number, since digits alone make no sentence another one."""
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def lines(count: int, start: int = 0) -> list[tuple[str, str]]:
    """(label, sentence), no sentence twice."""
    labels = list(WORDS)
    return [(labels[n % 7], f"{WORDS[labels[n % 7]]} {spelt(start + n)}") for n in range(count)]


SPLITS = (("train", TRAINING_LINES, 0), ("dev", 7, 1000), ("test", 7, 2000))


def goemotions(root: Path, public: bool) -> None:
    for name, count, start in SPLITS:
        if public:
            rows = [[text, FINE_NUMBERS[label], f"e{n}"] for n, (label, text) in enumerate(lines(count, start))]
            write_rows(root / "goemotions" / "data" / f"{name}.tsv", [], rows, "\t")
        else:
            rows = [[f"e{n}", text, "-", EKMAN[label]] for n, (label, text) in enumerate(lines(count, start))]
            write_rows(root / "text" / f"goemotions_{name}.csv", ["id", "text", "labels28", "labels_ekman"], rows)


def meld(root: Path, public: bool) -> None:
    header = ["Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"]
    for name, count, start in SPLITS:
        rows = [
            [n, f"Oh, {text}, isn\x92t it?", ("Joey", "Chandler")[n % 2], EKMAN[label], "neutral", n // 5, n % 5]
            for n, (label, text) in enumerate(lines(count, start + 100))
        ]
        path = root / "MELD" / f"{name}_sent_emo.csv" if public else root / "text" / f"meld_{name}.csv"
        write_rows(path, header, rows)


def emorynlp(root: Path, public: bool, own: bool = False) -> None:
    """``own``: as the authors' JSON."""
    emotions = ("Joyful", "Mad", "Neutral", "Peaceful", "Powerful", "Sad", "Scared")
    who = ["['Joey']", "['Joey']", "['Joey', 'Ross']", *["['Ross']"] * 4]
    header = ["Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID", "Season", "Episode"]
    for name, short in (("train", "trn"), ("dev", "dev"), ("test", "tst")):
        rows = [
            [f"line {n} of a {emotion} friend", who[n], emotion, 1 + n // 3, 1 + n % 3, 1, 2]
            for n, emotion in enumerate(emotions)
        ]
        if own:
            said = [{"transcript": row[0], "emotion": row[2], "speakers": ast.literal_eval(row[1])} for row in rows]
            scenes = [
                {"scene_id": "s01_e02_c01", "utterances": said[:3]},
                {"utterances": said[3:6]},
                {"utterances": said[6:]},
            ]
            path = root / "json" / f"emotion-detection-{short}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"episodes": [{"scenes": scenes}]}))
            continue
        path = root / "emorynlp" / f"emorynlp_{name}_final.csv" if public else root / "text" / f"emorynlp_{name}.csv"
        write_rows(path, header, rows)


def dailydialog(root: Path, public: bool) -> None:
    labels = ["no_emotion"] * 8 + ["happiness", "sadness", "anger", "fear", "disgust", "surprise"]
    if public:
        numbers = [0] * 8 + [4, 5, 1, 3, 2, 6]
        folder = root / "ijcnlp_dailydialog" / "validation"
        folder.mkdir(parents=True)
        spoken = [f"dialogue line {n} , sir ." for n in range(len(labels))]
        for name, turns in (
            ("dialogues_validation.txt", [f"{text} __eou__" for text in spoken]),
            ("dialogues_emotion_validation.txt", [f"{n} " for n in numbers]),
        ):
            lines = [" ".join(turns[:5]), " ".join(turns[5:])]
            (folder / name).write_text("\n".join(lines) + "\n")
        return
    rows = [[0, n, "tourism", "inform", label, f"dialogue line {n} , sir ."] for n, label in enumerate(labels)]
    write_rows(
        root / "text" / "dailydialog_valid.csv", ["dialogue_id", "utt_id", "topic", "act", "emotion", "text"], rows
    )


def isear(root: Path, public: bool) -> None:
    labels = ("joy", "fear", "anger", "sadness", "disgust", "shame", "guilt")
    if public:
        rows = [[n, label, "joy", f"[ When I felt {label}, á alone.]"] for n, label in enumerate(labels)]
        write_rows(root / "isear.csv", ["ID", "Field1", "Field2", "SIT"], rows, "|")
        return
    rows = [[label, f"When I felt {label}, alone."] for label in labels]
    write_rows(root / "text" / "isear.csv", ["emotion", "text"], rows)


def dairai(root: Path, public: bool) -> None:
    labels = ("joy", "sadness", "anger", "fear", "love", "surprise")
    rows = [[f"i feel so much {labels[n % 6]} today {n}", labels[n % 6]] for n in range(12)]
    if public:
        numbers = {"sadness": 0, "joy": 1, "love": 2, "anger": 3, "fear": 4, "surprise": 5}
        path = root / "emotion" / "data" / "train.jsonl.gz"
        path.parent.mkdir(parents=True)
        lines = [json.dumps({"text": text, "label": numbers[label]}) for text, label in rows]
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
        return
    write_rows(root / "text" / "dairai_emotion_train.csv", ["text", "emotion"], rows)


def mustard(root: Path, public: bool) -> None:
    """A scene is lines without labels and a last one with two: what the words say, what was felt."""
    felt = (("Happiness", "Anger"), ("Neutral", "Ridicule"), ("Frustration", "Anger"), ("Excitement", "Surprise"))
    rows = []
    for n, (explicit, implicit) in enumerate(felt):
        rows.append([f"1_{n}", f"1_{n}_c_00", "Who was he?", "PERSON", "", "", ""])
        rows.append([f"1_{n}", f"1_{n}_u", f"Of course,\nsay {n}", "SHELDON", "1.0", implicit, explicit])
    header = ["SCENE", "KEY", "SENTENCE", "SPEAKER", "Sarcasm", "Implicit_Emotion", "Explicit_Emotion"]
    write_rows(root / "mustard++_text.csv" if public else root / "text" / "mustardpp.csv", header, rows)


def muxspace(root: Path, public: bool) -> None:
    """A happy and an angry face; public: also one of contempt, one named twice, and one that is not there."""
    pictures = [np.kron(face(label, label), np.ones((2, 2), np.uint8)) for label in (1, 3)]
    if public:
        (root / "images").mkdir(parents=True)
        for name, picture in zip("ab", pictures, strict=True):
            Image.fromarray(picture).save(root / "images" / f"{name}.png")
        rows = [
            [302, "a.png", "happiness"],
            [1, "b.png", "ANGER"],
            [1, "a.png", "contempt"],
            [1, "b.png", "sadness"],
            [1, "c.png", "fear"],
        ]
        write_rows(root / "data" / "legend.csv", ["user.id", "image", "emotion"], rows)
        return
    (root / "faces").mkdir(parents=True)
    stored = [webp(picture) for picture in [*pictures, pictures[0]]]
    np.savez(
        root / "faces" / "muxspace_faces112.npz",
        webp=np.frombuffer(b"".join(stored), np.uint8),
        offsets=np.cumsum([0, *map(len, stored)]),
        label=np.array([3, 0, 3], np.int8),
        near_dup=np.array([False, False, True]),
    )


def london(root: Path, public: bool) -> None:
    """Two people, each neutral and smiling, in one real face's picture; the last neutral one shows none."""
    people = (("001", 24, "white"), ("002", 31, "black"))
    portrait = Image.open(EXAMPLES_FOLDER / "portrait.jpg").convert("RGB")
    pictures = [portrait, Image.new("RGB", (64, 64)), portrait, portrait]
    if public:
        for n, picture in enumerate(pictures):
            folder = root / ("neutral_front" if n < 2 else "smiling_front")
            folder.mkdir(exist_ok=True)
            picture.save(folder / f"{people[n % 2][0]}_{'03' if n < 2 else '08'}.jpg")
        rows = [[f"X{person}", age, "female", ethnicity] for person, age, ethnicity in people]
        write_rows(root / "london_faces_info.csv", ["face_id", "face_age", "face_gender", "face_eth"], rows)
        return
    stored = [encoded(picture, "jpeg", quality=95) for picture in pictures]
    (root / "faces").mkdir(parents=True, exist_ok=True)
    np.savez(
        root / "faces" / "london_faces400.npz",
        jpeg=np.frombuffer(b"".join(stored), np.uint8),
        offsets=np.cumsum([0, *map(len, stored)]),
        label=np.array([6, 6, 3, 3], np.int8),
        person=np.array([person for person, *_ in (*people, *people)]),
        age=np.array([age for _, age, _ in (*people, *people)], np.int16),
        gender=np.array(4 * ["female"]),
        ethnicity=np.array([ethnicity for *_, ethnicity in (*people, *people)]),
    )


def webp(picture: np.ndarray) -> bytes:
    return encoded(Image.fromarray(picture), "webp", lossless=True)


def encoded(picture: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def face(label: int, number: int) -> np.ndarray:
    """(48,48) uint8: a pattern of its label's, no two alike."""
    y, x = np.mgrid[:48, :48]
    wave = np.sin(2 * np.pi * (label + 1) * (x if label % 2 else y) / 48)
    return np.clip(128 + 50 * wave + np.random.default_rng(number).normal(0, 20, (48, 48)), 0, 255).astype(np.uint8)


PLUS = (0, 1, 3, 4, 6, 5, 2)  # FER+ column of each of our labels
FACES = (("Training", 56), ("PublicTest", 14), ("PrivateTest", 14))  # 56 / 8 held out are one of each label


def faces(extra: bool = True) -> list[tuple[np.ndarray, list[int], str]]:
    """(picture, ten votes, usage). ``extra`` adds a contempt majority, and one face in training and in test."""
    rows, number = [], 0
    for usage, count in FACES:
        for n in range(count):
            votes = [0] * 10
            votes[PLUS[n % 7]], votes[PLUS[(n + 1) % 7]], votes[8] = 7, 2, 1
            rows.append((face(n % 7, number), votes, usage))
            number += 1
    if extra:
        rows.append((face(0, 900), [0, 0, 0, 0, 0, 0, 0, 9, 1, 0], "Training"))
        rows.append((rows[-2][0], rows[-2][1], "Training"))
    return rows


def fer(root: Path, public: bool) -> None:
    rows = faces()
    if public:
        pixels = [[0, " ".join(map(str, image.ravel())), usage] for image, _, usage in rows]
        write_rows(root / "fer2013" / "fer2013.csv", ["emotion", "pixels", "Usage"], pixels)
        header = [
            "Usage",
            "Image name",
            "neutral",
            "happiness",
            "surprise",
            "sadness",
            "anger",
            "disgust",
            "fear",
            "contempt",
            "unknown",
            "NF",
        ]
        votes = [[usage, f"fer{n:07}.png", *votes] for n, (_, votes, usage) in enumerate(rows)]
        write_rows(root / "FERPlus" / "fer2013new.csv", header, votes)
        return
    pictures = [webp(image) for image, _, _ in rows]
    usages = [usage for usage, _ in FACES]
    (root / "faces").mkdir(parents=True, exist_ok=True)
    np.savez(
        root / "faces" / "fer2013plus.npz",
        webp=np.frombuffer(b"".join(pictures), np.uint8),
        offsets=np.cumsum([0, *map(len, pictures)]),
        ferplus_votes=np.array([votes for _, votes, _ in rows], np.uint8),
        split=np.array([usages.index(usage) for *_, usage in rows], np.uint8),
        near_dup=np.array([False] * (len(rows) - 3) + [True, False, True]),
    )


def ravdess_names(actors: tuple[int, ...]) -> list[str]:
    return [
        f"03-01-{emotion}-01-{1 + actor % 2:02}-01-{actor:02}"
        for actor in actors
        for emotion in (*RAVDESS_EMOTIONS, "02")
    ]


def emodb_names() -> list[str]:
    return ["03a01Fa", *(f"08a02{emotion}b" for emotion in EMODB_EMOTIONS + "L"), "15a01Na"]


NEMO_EMOTIONS = ("neutral", "happiness", "sadness", "anger", "fear", "surprised")


def nemo_names(speakers: tuple[str, ...]) -> list[str]:
    return [f"{speaker}_{emotion}_{n}" for speaker in speakers for n, emotion in enumerate(NEMO_EMOTIONS, 1)]


def korean_names(speakers: tuple[str, ...]) -> list[str]:
    """One of each emotion: a hundred lines are neutral, then happy, angry, sad."""
    return [f"{speaker}{number:05}" for speaker in speakers for number in (7, 100, 101, 201, 400)]


def ased_names(speakers: tuple[str, ...]) -> list[str]:
    return [f"{emotion}-01-01-01-{speaker}" for speaker in speakers for emotion in ("a5", "f2", "h3", "n1", "s4")]


VOICES = {  # corpus: folder of its public layout, name of its archive, codec in it
    "ravdess": ("RAVDESS/Actor_{}", "ravdess_speech_16k.tar", "flac"),
    "emodb": ("EmoDB/wav", "emodb_full4_16k.tar", "flac"),
    "emodb more": ("", "emodb_full7_sp03_09_16k.tar", "opus"),
    "nemo": ("nEMO/samples", "nemo_16k.tar", "opus"),
    "korean": ("emotiontts", "korean_emotiontts_16k.tar", "opus"),
    "ased": ("ASED_V1/anger", "ased_16k.tar", "opus"),
}


def variation(voice: np.ndarray, number: int) -> np.ndarray:
    """The same voice at another level and with another beginning."""
    shift = 160 * (number % 7)
    return (voice[shift:] * (0.3 + 0.1 * (number % 5))).astype(np.float32)


def speech(root: Path, names: list[str], voice: np.ndarray, corpus: str, public: bool) -> None:
    """A corpus of voices: wav files in the public folders, or FLAC or Opus in one tar."""
    folder, archive_name, codec = VOICES[corpus]
    if public:
        for n, name in enumerate(names):
            own = root / folder.format(name[-2:])
            own.mkdir(parents=True, exist_ok=True)
            write_wav(own / f"{name}.wav", variation(voice, n), RATE, 16)
        return
    archive = root / "speech" / archive_name
    archive.parent.mkdir(parents=True, exist_ok=True)
    coding = {"flac": ("flac", "flac"), "opus": ("libopus", "ogg")}[codec]
    with tarfile.open(archive, "w") as tar:
        for n, name in enumerate(names):
            path = write_media(
                archive.parent / f"{name}.{codec}",
                audio=coding[0],
                container=coding[1],
                wave=variation(voice, n),
                rate=RATE,
                layout="mono",
            )
            tar.add(path, path.name)
            path.unlink()


def everything(root: Path, voice: np.ndarray) -> Path:
    """All corpora in their public layouts, as far as there is one; enough for every stage of the training."""
    goemotions(root, True)
    meld(root, True)
    emorynlp(root, True)
    isear(root, True)
    dailydialog(root, True)
    dairai(root, True)
    fer(root, True)
    speech(root, ravdess_names((1, 2, 15, 18, 20, 23)), voice, "ravdess", True)
    speech(root, emodb_names(), voice, "emodb", True)
    return root


def voice_of(corpus: str, label: int, speaker: int, number: int) -> Utterance:
    """A silent recording: what tells of it is all that counts."""
    name = f"{corpus}-{speaker}-{number}"
    return Utterance(name, np.zeros(10, np.float32), label, f"{corpus}{speaker}", corpus, "train")


def iemocap_raw(root: Path, voice: np.ndarray, portrait: np.ndarray) -> Path:
    """Two dialogues a session of four utterances, a second each; who wears the markers has ``portrait`` in its picture.

    The third utterance of each has an emotion that is none of the six; the files list them out of order.
    """
    picture = np.full((240, 480, 3), 128, np.uint8)
    face = np.asarray(Image.fromarray(portrait).resize((240, 240)))
    for session in range(1, 6):
        folder = root / "IEMOCAP_full_release" / f"Session{session}"
        for wearer in "FM":
            dialogue = f"Ses{session:02}{wearer}_impro01"
            names = [f"{dialogue}_{who}{number:03}" for number, who in enumerate("FMFM")]
            rated = [
                f"[{n:.4f} - {n + 1:.4f}]\t{name}\t{emotion}\t[2.5, 2.5, 2.5]\nC-E1:\tNeutral;\t()\n"
                for n, (name, emotion) in enumerate(zip(names, ("neu", "fru", "sur", "exc"), strict=True))
            ]
            files = {
                "EmoEvaluation": "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n" + "\n".join(rated[::-1]),
                "transcriptions": "".join(f"{n} [{i:.3f}-{i + 1:.3f}]: words of {n}\n" for i, n in enumerate(names)),
            }
            for kind, text in files.items():
                path = folder / "dialog" / kind / f"{dialogue}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            for name in names:
                (folder / "sentences" / "wav" / dialogue).mkdir(parents=True, exist_ok=True)
                write_wav(folder / "sentences" / "wav" / dialogue / f"{name}.wav", voice, RATE, 16)
            both = picture.copy()
            both[:, :240] = face  # the wearer's half
            path = folder / "dialog" / "avi" / "DivX" / f"{dialogue}.avi"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_media(path, video="mpeg4", images=[both] * 40, seconds=4, size=(480, 240))
    return root

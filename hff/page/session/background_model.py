"""The model behind the page: loaded once, in the background, when the page is already there."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from hff import weights
from hff.cancel import current
from hff.config import HFFConfig
from hff.errors import DependencyError, HFFError, WeightsError
from hff.locale import say
from hff.media.dialogue_file import DialogueTurn
from hff.page.session.lanes import LEFT, Lanes, Work
from hff.result import FaceSeen, Result, Transcript

if TYPE_CHECKING:
    from hff.pipeline.recording import Progress, Recording
    from hff.saliency.explanation import Explanation

log = logging.getLogger(__name__)


class Engine:
    """Loads with ``load()`` at the first need, whichever thread comes first, and hands inputs to the model.

    ``failure`` holds the error of a load that went wrong; every later call raises it again. Every analysis has its
    turn (``hff.page.session.lanes``); ``stop`` and ``leave`` end what a visit has asked for.
    """

    def __init__(
        self,
        load: Callable[[], object],
        transcribe: bool = True,
        lanes: Lanes | None = None,
        config: Callable[[], HFFConfig] = weights.preferred_config,
        speech_encoders: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self.lanes = lanes or Lanes()
        self._load, self._config, self._speech_encoders = load, config, speech_encoders
        self._lock = threading.Lock()
        self._model: Any = None
        self.failure: HFFError | None = None
        self.transcribe = transcribe

    def config(self) -> HFFConfig:
        """What the weights are, labels and all, without waiting for the model: of the loaded one, else as stored."""
        if (known := getattr(self._model, "config", None)) is not None:
            return known
        try:
            return self._config()
        except WeightsError:  # loading the model will tell
            return HFFConfig()

    def ears(self) -> tuple[str, ...]:
        """The speech encoders that there are weights for, the model's own first; without waiting for the model."""
        own = self.config().speech_encoder
        return own, *(name for name in self._speech_encoders() if name != own)

    def warm_up(self, video: str | None, on_failure: Callable[[], None]) -> threading.Thread:
        """Load in a thread of its own, then read ``video`` once, so that the first person need not wait."""

        def work() -> None:
            try:
                self.model()
            except HFFError:
                on_failure()
                return
            begun = time.perf_counter()
            try:
                if video is not None:
                    self.analyze({"video": video}, self.transcribe)
            except HFFError as error:
                log.warning("%s", error)
            log.info("warmed up in %.1f s", time.perf_counter() - begun)

        thread = threading.Thread(target=work, name="load the model", daemon=True)
        thread.start()
        return thread

    def model(self, ear: str = ""):
        """The loaded model, hearing with a speech encoder out of ``ears``, by default its own.

        Raises ``WeightsError``, ``DeviceError`` or ``DependencyError``.
        """
        model = self._own()
        return model if ear in ("", self.config().speech_encoder) else model.hearing_with(ear)

    def _own(self):
        with self._lock:
            if self.failure is not None:
                raise self.failure
            if self._model is None:
                begun = time.perf_counter()
                try:
                    self._model = self._load()
                except HFFError as error:
                    self.failure = error
                    raise
                except ImportError as error:
                    self.failure = DependencyError(missing_library(error))
                    raise self.failure from error
                log.info("model loaded in %.1f s", time.perf_counter() - begun)
            return self._model

    @contextmanager
    def work(
        self,
        owner: str | None = None,
        gone: Callable[[], bool] | None = None,
        progress: Progress | None = None,
        address: str | None = None,
    ) -> Iterator[Work]:
        """One turn for all that is read and analysed within, as in ``Lanes.work``; within another turn, that one."""
        there = current()
        if isinstance(there, Work):
            yield there
            return
        tell = (lambda message: progress(0, message)) if progress is not None else None
        with self.lanes.work(owner, gone, tell, address) as work:
            yield work

    def guest(self) -> AbstractContextManager[None]:
        """Short work that needs no turn: long analyses rest meanwhile."""
        return self.lanes.guest()

    def stop(self, owner: str | None) -> int:
        """End what a visit has asked for, as it wishes; how many analyses that were."""
        return self.lanes.stop(owner)

    def leave(self, owner: str | None) -> None:
        """End what a visit has asked for that is over."""
        self.lanes.stop(owner, LEFT)

    def analyze(self, inputs: dict[str, str | None], transcribe: bool, progress: Progress | None = None) -> Result:
        """``inputs`` as for ``read`` -> their reading."""
        with self.work(progress=progress):
            return self.analyze_recording(self.read(inputs, transcribe, progress), progress)

    def read(self, inputs: dict[str, str | None], transcribe: bool, progress: Progress | None = None) -> Recording:
        """``inputs``: video, audio, image as paths and text; what is missing or empty was not given."""
        given = {name: value for name, value in inputs.items() if value}
        model = self.model()
        with self.work(progress=progress):
            return model.read(**given, transcribe=bool(transcribe and self.transcribe), progress=progress)

    def analyze_recording(self, recording: Recording, progress: Progress | None = None, ear: str = "") -> Result:
        """Raw material that was read before -> its reading, heard with a speech encoder out of ``ears``."""
        model = self.model(ear)
        with self.work(progress=progress):
            return model.analyze_recording(recording, progress=progress)

    def read_turns(
        self,
        turns: Sequence[DialogueTurn],
        recording: Recording | None = None,
        progress: Progress | None = None,
        ear: str = "",
    ) -> Iterator[tuple[DialogueTurn, Result | HFFError]]:
        """Each turn of a dialogue with its reading, or with what was wrong with it."""
        from hff.pipeline.dialogue import read_turns

        model = self.model(ear)
        with self.work(progress=progress):
            for number, read in enumerate(read_turns(model, turns, recording), 1):
                if progress is not None:
                    progress(number / len(turns), say("dialogue.progress", number=number, count=len(turns)))
                yield read

    def explain(self, faces: Iterable[FaceSeen], transcript: Transcript | None, ear: str = "") -> Explanation:
        """Where on these faces the network looked, and which words counted."""
        from hff.saliency.explanation import explain

        model = self.model(ear)
        with self.work():
            return explain(model, faces, transcript)


def missing_library(error: ImportError) -> str:
    """One line for a library that is not there."""
    name = getattr(error, "name", None) or str(error)
    return say("library.missing", name=name, error=str(error))

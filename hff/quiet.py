"""Nothing leaves the machine: what our libraries are told before any of them is imported.

``hff`` itself calls ``libraries``, so that the Python API keeps the promise too; the programs - page, command line,
training - call ``programs``, which also forbids every download: a program of ours needs none, while one that only
imports ``hff`` may well fetch models of its own.

What each library would do:

- ONNX Runtime (under faster-whisper) looks up and calls a telemetry host every few seconds while a model is in memory,
  and leaves a device id and a database in the user's cache folder and a ``.ses`` file in the temporary one. It reads
  its variable once, when it is imported; ``disable_telemetry_events`` does not stop it afterwards.
- Gradio asks for its newest version and reports launches and errors.
- huggingface_hub (under transformers, faster-whisper and Gradio) counts its users in the requests it makes, and asks
  the hub about models that are not there.
- matplotlib only keeps a list of this machine's fonts in its cache folder, which is nobody's data: it stays as it is.
  ctranslate2, PyTorch, OpenCV and PyAV make no request by themselves.
"""

from __future__ import annotations

import logging
import os
import sys

log = logging.getLogger(__name__)

# Forced, whatever the user's environment says: with any of these otherwise, "nothing leaves the machine" is untrue.
REPORT_NOTHING = {
    "ORT_DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
FETCH_NOTHING = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def libraries() -> None:
    """Let no library report home. Logs a warning if ONNX Runtime was imported before and reports already."""
    if "onnxruntime" in sys.modules and os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
        log.warning(
            "onnxruntime was imported before hff and sends telemetry: import hff first, "
            "or set ORT_DISABLE_TELEMETRY=1 in the environment of the program."
        )
        getattr(sys.modules["onnxruntime"], "disable_telemetry_events", lambda: None)()  # fewer events, same look-ups
    os.environ.update(REPORT_NOTHING)


def programs() -> None:
    """As ``libraries``, and let none of them download anything."""
    libraries()
    os.environ.update(FETCH_NOTHING)

"""The errors a person can meet, each saying what was wrong and what would work."""


class HFFError(Exception):
    """Base of every error this package raises on purpose.

    The message is one or two sentences for the person at the screen: what was wrong with which
    input, and what would work instead.
    """


class InputError(HFFError):
    """A clip, picture, sound or text that cannot be read or holds nothing to read emotion from."""


class NothingToAnalyse(InputError):
    """Readable input in which no modality is present: no voice, no words, no face."""


class Cancelled(HFFError):
    """Work that was stopped because nobody waits for it any more, or because somebody asked for that."""


class BusyError(HFFError):
    """More work than fits: too many wait already."""


class DeviceError(HFFError):
    """A compute device or a capture device that does not exist here."""


class WeightsError(HFFError):
    """Model files that are missing, damaged or of another version."""


class DependencyError(HFFError):
    """A library or a model-carrying package that is not installed."""

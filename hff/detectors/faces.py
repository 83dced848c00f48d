"""Faces: found with CenterFace, followed from frame to frame, and aligned on five landmarks.

The detector is CenterFace (Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point",
arXiv 1911.03599) run by OpenCV: one convolutional network gives, on a grid of one cell per 4 pixels, the
chance of a face's centre, the box's size and offset, and five landmarks relative to the box.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import cv2
import numpy as np

from hff import pretrained
from hff.config import FACE_SIZE
from hff.errors import WeightsError
from hff.locale import say
from hff.result import FaceSeen

# Where eyes, nose and mouth corners lie in the crop, as fractions of its side: the medians of the landmarks
# CenterFace finds in FER2013's training pictures, made symmetric. Left and right as seen in the picture.
FACE_TEMPLATE = np.array([[0.313, 0.407], [0.687, 0.407], [0.5, 0.602], [0.347, 0.760], [0.653, 0.760]], np.float32)

FAST_AREA = 320 * 192  # pixels that the detector looks at, about 12 ms on one core
FINE_AREA = 640 * 384  # on a second look for small faces, about four times that
LEAST_SIDE = 160  # pixels to which a smaller picture is blown up
FILLED_BORDER = 0.3  # margin for a face that fills the picture, as a share of the longer side
LOWEST_SCORE = 0.5
MAX_IOU = 0.3  # intersection over union above which two boxes are one face
OTHERS_INTERVAL = 2.0  # s between searches of the whole picture for other faces than the one that is followed
LOOK_INTERVAL = 1.0  # s between second looks where the first finds nothing
NEARBY = 2.5  # side of the surroundings in which a followed face is looked for, in units of the face
NEARBY_AREA = 160 * 160  # pixels of the surroundings that the detector sees, about 6 ms on one core
FACE_LOST_AFTER = 1.0  # s without the tracked face until the largest face is taken instead
SAME_FACE_DISTANCE = 0.75  # of the face's size, that its centre may move between two frames
COMPARABLE = 0.5  # share of the largest face's side from which a second face counts

SHAPES_KEPT = 8  # networks of one input shape each, 30 MB, where the engine needs that
_STRIDE = 4  # pixels per cell of the network's output
_MULTIPLE = 32  # pixels, the network's input sides are multiples of it
_OUTPUTS = ("537", "538", "539", "540")  # names in the ONNX file: heat map, size, offset, landmarks


@dataclass
class Detection:
    """One face in one picture, in pixels of that picture."""

    box: np.ndarray  # (4,) float32: left, top, right, bottom, inside the picture
    landmarks: np.ndarray  # (5,2) float32 x, y: eyes, nose, mouth corners, left to right in the picture
    score: float

    @property
    def size(self) -> float:
        """Geometric mean of the box's sides, pixels."""
        left, top, right, bottom = self.box
        return float(np.sqrt(max(right - left, 0) * max(bottom - top, 0)))

    @property
    def centre(self) -> np.ndarray:
        return (self.box[:2] + self.box[2:]) / 2


class FaceDetector:
    """CenterFace; all detectors of a process share one network behind a lock."""

    def detect(self, image: np.ndarray, area: int = FAST_AREA, border: float = 0.0) -> list[Detection]:
        """Faces in an RGB or grey uint8 picture, largest first.

        ``area`` is how many pixels the network sees at most (its cost grows with them); ``border`` adds an
        empty margin around, as a share of the longer side, for faces that fill the picture.
        """
        image = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
        height, width = image.shape[:2]
        margin = border * max(height, width)
        outer = np.array([height, width]) + 2 * margin
        scale = min(np.sqrt(area / outer.prod()), max(1.0, LEAST_SIDE / outer.max()))
        found = decode_maps(*run_network(_canvas(image, scale, margin * scale, outer * scale)))
        for face in found:
            face.box = (face.box / scale - margin).reshape(2, 2).clip(0, [width, height]).ravel()
            face.landmarks = face.landmarks / scale - margin
        return sorted(found, key=lambda face: -face.size)

    def detect_odd(self, image: np.ndarray) -> list[Detection]:
        """Faces that ``detect`` misses: first those much smaller than the picture, then those that fill it."""
        small = self.detect(image, FINE_AREA) if image.shape[0] * image.shape[1] > FAST_AREA else []
        return small or self.detect(image, border=FILLED_BORDER)


def _canvas(image: np.ndarray, scale: float, margin: float, outer: np.ndarray) -> np.ndarray:
    """The picture scaled without aliasing, ``margin`` pixels from the top left of a black canvas of about ``outer``."""
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    start = round(margin)
    needed = np.maximum(np.round(outer), [start + height, start + width])
    sides = (np.ceil(needed / _MULTIPLE) * _MULTIPLE).astype(int)
    canvas = np.zeros((*sides, 3), np.uint8)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas[start : start + height, start : start + width] = small
    return canvas


_lock = threading.Lock()  # an OpenCV network keeps the state of a pass inside itself


def _read_network() -> cv2.dnn.Net:
    path = pretrained.centerface_file()
    try:
        return cv2.dnn.readNetFromONNX(str(path))
    except cv2.error as error:
        raise WeightsError(
            say("weights.face_detector", version=cv2.__version__, path=path, reason=str(error.err))
        ) from error


@cache
def _network() -> cv2.dnn.Net:
    return _read_network()


@lru_cache(maxsize=SHAPES_KEPT)
def _network_for(shape: tuple[int, ...]) -> cv2.dnn.Net:
    return _read_network()


@cache
def _keeps_first_shape() -> bool:
    """Whether OpenCV's engine (the classic one, if it is chosen) stays with the shape of a network's first picture.

    It then gives faces that are not there for all others, so found out by trying.
    """
    wide, high = (np.random.default_rng(0).random((1, 3, *sides), np.float32) * 255 for sides in ((64, 128), (128, 64)))
    used, fresh = _read_network(), _read_network()
    _run(used, wide)
    try:
        after, alone = _run(used, high), _run(fresh, high)
    except cv2.error:
        return True
    return not all(a.shape == b.shape and np.allclose(a, b, atol=1e-3) for a, b in zip(after, alone, strict=True))


def run_network(canvas: np.ndarray) -> list[np.ndarray]:
    blob = cv2.dnn.blobFromImage(canvas)
    with _lock:
        return _run(_network_for(blob.shape) if _keeps_first_shape() else _network(), blob)


def _run(network: cv2.dnn.Net, blob: np.ndarray) -> list[np.ndarray]:
    network.setInput(blob)
    return [np.array(output[0]) for output in network.forward(_OUTPUTS)]


def decode_maps(heat: np.ndarray, size: np.ndarray, offset: np.ndarray, landmarks: np.ndarray) -> list[Detection]:
    """Detections in pixels of the canvas from the maps (1,h,w), (2,h,w), (2,h,w) and (10,h,w); axis order y, x."""
    rows, columns = np.nonzero(heat[0] > LOWEST_SCORE)
    if len(rows) == 0:
        return []
    scores = heat[0, rows, columns]
    cells = np.stack([rows, columns], axis=1)  # (n,2) y, x
    with np.errstate(all="ignore"):  # what is not finite is dropped
        sides = np.exp(size[:, rows, columns].T) * _STRIDE
        starts = (cells + offset[:, rows, columns].T + 0.5) * _STRIDE - sides / 2
        points = landmarks[:, rows, columns].T.reshape(-1, 5, 2) * sides[:, None] + starts[:, None]
        boxes = np.concatenate([starts, starts + sides], axis=1)[:, [1, 0, 3, 2]]
    finite = np.isfinite(boxes).all(1) & np.isfinite(points).all((1, 2)) & np.isfinite(scores)
    boxes, points, scores = boxes[finite], points[finite], scores[finite]
    return [
        Detection(boxes[i].astype(np.float32), points[i, :, ::-1].astype(np.float32), float(scores[i]))
        for i in _best_of_each(boxes, scores)
    ]


def _best_of_each(boxes: np.ndarray, scores: np.ndarray) -> list[int]:
    """Non-maximum suppression: indices of the boxes that overlap no better one."""
    kept: list[int] = []
    for i in np.argsort(-scores):
        if all(box_iou(boxes[i], boxes[j]) < MAX_IOU for j in kept):
            kept.append(int(i))
    return kept


def box_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes (left, top, right, bottom)."""
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    if width <= 0 or height <= 0:
        return 0.0
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - width * height
    return float(width * height / union)


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(2,3) matrix of the rotation, scaling and shift that best maps points (n,2) onto others, in least squares.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", IEEE TPAMI
    13(4), 1991; in the plane the solution is one complex factor: target ~ factor * source + shift.
    """
    p, q = (points[:, 0] + 1j * points[:, 1] for points in (source.astype(float), target.astype(float)))
    p0, q0 = p - p.mean(), q - q.mean()
    factor = np.vdot(p0, q0) / max(np.vdot(p0, p0).real, 1e-12)
    shift = q.mean() - factor * p.mean()
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def align_face(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The (48,48) uint8 grey crop in which the landmarks (5,2) lie best on ``FACE_TEMPLATE``.

    What lies outside the picture repeats its edge. Large faces are averaged down, not sampled, so that fine
    texture does not turn into false patterns.
    """
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    matrix = similarity(landmarks, FACE_TEMPLATE * FACE_SIZE - 0.5)  # pixel centres lie on whole numbers
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    oversampling = int(np.clip(round(1 / max(scale, 1e-6)), 1, 8))
    side = FACE_SIZE * oversampling
    fine = matrix * oversampling
    fine[:, 2] += (oversampling - 1) / 2
    crop = cv2.warpAffine(grey, fine, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return crop if oversampling == 1 else cv2.resize(crop, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)


class FaceTracker:
    """Follows one face through a clip: the largest one first, the same one as long as it is seen.

    While a face is followed only its surroundings are searched in each frame, which is quick and works for
    small faces too; the whole picture is searched every other second, and whenever the face is not where it was.
    One tracker per clip and thread; trackers share the detector's network.
    """

    def __init__(self, detector: FaceDetector | None = None):
        self.detector = detector or FaceDetector()
        self.several = False  # whether two faces of comparable size were ever seen at once
        self._last: Detection | None = None
        self._last_time = 0.0
        self._next_look = 0.0  # s, when a search of the whole picture is due
        self._next_odd_look = 0.0  # s, when a search for small and for filling faces is due
        self._shown: tuple[np.ndarray, FaceSeen | None] | None = None  # the last frame, and the face in it
        self._searched = False  # whether that frame was searched for small and for filling faces too

    def update(self, time: float, image: np.ndarray) -> FaceSeen | None:
        """The tracked face in the RGB frame at ``time`` s, None where there is none. Times must not fall.

        A frame that stays on display, the very same array, is not searched again.
        """
        if self._shown is not None and self._shown[0] is image and not self._due(time):
            face = self._shown[1]
            seen = replace(face, time=time) if face is not None else None
        else:
            seen = self._find(time, image)
            self._shown = image, seen
        if seen is not None:
            self._last_time = time
        return seen

    def _due(self, time: float) -> bool:
        """Whether a frame without the face deserves another look: a closer one, or one for any face after a loss."""
        if self._shown is not None and self._shown[1] is not None:
            return False
        lost = self._last is not None and time - self._last_time > FACE_LOST_AFTER
        return lost or (not self._searched and time >= self._next_odd_look)

    def _find(self, time: float, image: np.ndarray) -> FaceSeen | None:
        if self._last is not None and time - self._last_time > FACE_LOST_AFTER:
            self._last = None
        face = self._same(self._nearby(image))
        self._searched = False
        if face is None or time >= self._next_look:
            found = self._look(time, image)
            self.several |= len(found) > 1 and found[1].size > COMPARABLE * found[0].size
            face = face or self._same(found)
        if face is None:
            return None
        self._last = face
        left, top, width, height = (float(value) for value in face.box)
        return FaceSeen(time, (left, top, width, height), face.score, align_face(image, face.landmarks))

    def _nearby(self, image: np.ndarray) -> list[Detection]:
        """Faces around the last place of the tracked one."""
        if self._last is None:
            return []
        reach = NEARBY / 2 * self._last.size
        left, top = np.maximum(np.floor(self._last.centre - reach), 0).astype(int)
        right, bottom = np.ceil(self._last.centre + reach).astype(int)
        surroundings = image[top:bottom, left:right]
        if not surroundings.size:  # the picture has become smaller
            return []
        found = self.detector.detect(surroundings, NEARBY_AREA)
        for face in found:
            face.box = face.box + np.array([left, top, left, top])
            face.landmarks = face.landmarks + np.array([left, top])
        return found

    def _look(self, time: float, image: np.ndarray) -> list[Detection]:
        """Faces in the whole picture; where there seem to be none, now and then a closer look."""
        self._next_look = time + OTHERS_INTERVAL
        found = self.detector.detect(image)
        if not found and time >= self._next_odd_look:
            found = self.detector.detect_odd(image)
            self._searched = True
            self._next_odd_look = time + LOOK_INTERVAL
        return found

    def _same(self, found: list[Detection]) -> Detection | None:
        """The tracked face among those found; the largest if none is tracked."""
        if not found:
            return None
        last = self._last
        if last is None:
            return found[0]
        best = max(found, key=lambda face: box_iou(face.box, last.box))
        if box_iou(best.box, last.box) > 0:
            return best
        nearest = min(found, key=lambda face: np.linalg.norm(face.centre - last.centre))
        moved = np.linalg.norm(nearest.centre - last.centre)
        return nearest if moved < SAME_FACE_DISTANCE * last.size else None

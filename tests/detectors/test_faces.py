"""Finding, following and aligning faces, on the public-domain portrait that comes with scikit-image."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hff.config import FACE_SIZE
from hff.detectors.faces import (
    FACE_LOST_AFTER,
    FACE_TEMPLATE,
    LOOK_INTERVAL,
    OTHERS_INTERVAL,
    Detection,
    FaceDetector,
    FaceTracker,
    align_face,
    box_iou,
    decode_maps,
    similarity,
)

# Looked up by eye in the portrait, pixels: eyes, nose, mouth corners.
LANDMARKS = np.array([[205, 102], [247, 103], [224, 125], [205, 143], [241, 145]])
HEAD_SIZE = 103  # pixels


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def head(portrait) -> np.ndarray:
    """(200,200,3): the head alone; the landmarks move by (-125, -20)."""
    return portrait[20:220, 125:325]


def paste(background: np.ndarray, head: np.ndarray, x: int, y: int, size: float) -> np.ndarray:
    """A copy with the head's face ``size`` pixels large, its top left corner at (x, y)."""
    side = round(200 * size / HEAD_SIZE)
    image = background.copy()
    image[y : y + side, x : x + side] = cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA)
    return image


@pytest.fixture(scope="module")
def scene(face_free) -> np.ndarray:
    return cv2.resize(face_free, (640, 360), interpolation=cv2.INTER_AREA)


def anywhere(detector: FaceDetector, image: np.ndarray) -> list[Detection]:
    """At the first look, or at the further ones."""
    return detector.detect(image) or detector.detect_odd(image)


def test_the_face_and_its_landmarks_are_found(detector, portrait):
    (face,) = detector.detect(portrait)
    assert face.score > 0.7
    assert 80 < face.size < 125
    np.testing.assert_allclose(face.landmarks, LANDMARKS, atol=6)
    left, top, right, bottom = face.box
    assert (left < LANDMARKS[:, 0]).all()
    assert (LANDMARKS[:, 0] < right).all()
    assert (top < LANDMARKS[:, 1]).all()
    assert (LANDMARKS[:, 1] < bottom).all()


def test_grey_pictures_work_too(detector, portrait):
    (face,) = detector.detect(cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY))
    np.testing.assert_allclose(face.landmarks, LANDMARKS, atol=6)


@pytest.mark.parametrize("size", [48, 70, 100, 160])
@pytest.mark.parametrize("place", [(20, 15), (320, 40)])
def test_faces_of_many_sizes_are_found_in_a_scene(detector, scene, head, size, place):
    (face,) = anywhere(detector, paste(scene, head, *place, size))
    expected = (LANDMARKS - [125, 20]) * size / HEAD_SIZE + place
    assert np.abs(face.landmarks - expected).mean() < 0.08 * size
    assert face.size == pytest.approx(size, rel=0.25)


@pytest.mark.parametrize("size", [28, 36])
def test_small_faces_are_found_at_the_second_look(detector, scene, head, size):
    image = paste(scene, head, 300, 150, size)
    assert detector.detect(image) == []
    (face,) = anywhere(detector, image)
    assert face.size == pytest.approx(size, rel=0.3)


def test_a_crop_tighter_than_the_head_is_found(detector, portrait):
    tight = portrait[66:172, 180:272]
    for image in (tight, cv2.resize(tight, (48, 48), interpolation=cv2.INTER_AREA), cv2.resize(tight, (500, 576))):
        faces = anywhere(detector, image)
        assert len(faces) == 1
        scale = image.shape[1] / tight.shape[1]
        np.testing.assert_allclose(faces[0].landmarks / scale + [180, 66], LANDMARKS, atol=0.12 * HEAD_SIZE)


def test_no_face_is_found_where_there_is_none(detector, face_free, scene):
    rng = np.random.default_rng(0)
    for image in (
        face_free,
        scene,
        np.zeros((480, 640, 3), np.uint8),
        np.full((720, 1280, 3), 255, np.uint8),
        rng.integers(0, 256, (240, 320, 3), np.uint8),
    ):
        assert anywhere(detector, image) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 640), (640, 1), (3, 5), (20, 2000), (33, 31)])
def test_pictures_of_odd_shapes_do_no_harm(detector, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert anywhere(detector, image) == []
    assert FaceTracker(detector).update(0.0, image) is None


def test_boxes_stay_inside_the_picture(detector, portrait):
    half = portrait[:, 225:]  # cuts through the nose
    for face in detector.detect(half, border=0.3) + detector.detect(half):
        left, top, right, bottom = face.box
        assert 0 <= left < right <= half.shape[1]
        assert 0 <= top < bottom <= half.shape[0]


def test_one_face_is_reported_once_and_the_largest_first(detector, scene, head):
    image = paste(paste(scene, head, 10, 100, 60), head, 350, 20, 120)
    faces = detector.detect(image)
    assert [round(face.size / 60) for face in faces] == [2, 1]
    assert faces[0].box[0] > 320 > faces[1].box[2]


boxes = st.tuples(*[st.floats(0, 100)] * 2, *[st.floats(1, 50)] * 2).map(
    lambda b: np.array([b[0], b[1], b[0] + b[2], b[1] + b[3]])
)


@given(boxes, boxes)
def test_overlap_is_intersection_over_union(a, b):
    assert box_iou(a, a) == pytest.approx(1)
    assert box_iou(a, b) == pytest.approx(box_iou(b, a))
    canvas = np.zeros((2, 400, 400), bool)
    for layer, box in zip(canvas, (a, b), strict=True):
        left, top, right, bottom = np.round(box * 2).astype(int)
        layer[top:bottom, left:right] = True
    union = (canvas[0] | canvas[1]).sum()
    drawn = (canvas[0] & canvas[1]).sum() / union
    assert box_iou(np.round(a * 2), np.round(b * 2)) == pytest.approx(drawn)


@given(
    st.floats(-3.1, 3.1), st.floats(0.05, 20), st.tuples(st.floats(-500, 500), st.floats(-500, 500)), st.integers(0, 99)
)
def test_similarity_undoes_any_turn_scaling_and_shift(angle, scale, shift, seed):
    points = np.random.default_rng(seed).uniform(0, 100, (5, 2))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = similarity(points, points @ turn.T + shift)
    np.testing.assert_allclose(matrix[:, :2], turn, atol=1e-6 * max(scale, 1))
    np.testing.assert_allclose(matrix[:, 2], shift, atol=1e-4 * max(scale, 1))


def test_similarity_is_the_least_squares_answer():
    rng = np.random.default_rng(0)
    source, target = rng.uniform(0, 100, (5, 2)), rng.uniform(0, 100, (5, 2))
    # the same as a linear system in a, b, tx, ty of [a -b tx; b a ty]
    rows = [[x, -y, 1, 0] for x, y in source] + [[y, x, 0, 1] for x, y in source]
    a, b, tx, ty = np.linalg.lstsq(np.array(rows), np.concatenate([target[:, 0], target[:, 1]]), rcond=None)[0]
    np.testing.assert_allclose(similarity(source, target), [[a, -b, tx], [b, a, ty]], atol=1e-9)


def dotted(points: np.ndarray, size: tuple[int, int], radius: float) -> np.ndarray:
    """A dark grey picture with a soft bright dot at each point."""
    y, x = np.mgrid[: size[1], : size[0]]
    image = np.full((size[1], size[0]), 20.0)
    for px, py in points:
        image = np.maximum(image, 235 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * radius**2)))
    return image.astype(np.uint8)


@pytest.mark.parametrize("scale", [0.7, 1.0, 3.0, 9.0])
@pytest.mark.parametrize("angle", [-40, 0, 25])
def test_aligned_landmarks_lie_on_the_template(scale, angle):
    radians = np.deg2rad(angle)
    turn = scale * np.array([[np.cos(radians), -np.sin(radians)], [np.sin(radians), np.cos(radians)]])
    points = (FACE_TEMPLATE * FACE_SIZE - 24) @ turn.T + 60 * max(scale, 1)
    size = round(120 * max(scale, 1))
    crop = align_face(dotted(points, (size, size), 1.5 * scale), points)
    assert crop.shape == (FACE_SIZE, FACE_SIZE)
    assert crop.dtype == np.uint8
    for x, y in FACE_TEMPLATE * FACE_SIZE - 0.5:
        patch = crop[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4].astype(float) - 20
        rows, columns = np.mgrid[-3:4, -3:4]
        weights = np.maximum(patch, 0)
        assert (weights * columns).sum() / weights.sum() + round(x) == pytest.approx(x, abs=0.35)
        assert (weights * rows).sum() / weights.sum() + round(y) == pytest.approx(y, abs=0.35)


def test_alignment_does_not_alias(portrait):
    """A fine checkerboard on a large face becomes flat grey, not moire."""
    board = np.indices((960, 960)).sum(0) % 2 * 255
    crop = align_face(board.astype(np.uint8), FACE_TEMPLATE * 960)
    assert crop[4:-4, 4:-4].std() < 6
    assert crop.mean() == pytest.approx(127, abs=4)


def test_alignment_turns_a_tilted_head_upright(detector, portrait):
    def alike(a, b):
        return np.corrcoef(a.astype(float).ravel(), b.astype(float).ravel())[0, 1]

    (face,) = detector.detect(portrait)
    upright = align_face(portrait, face.landmarks)
    matrix = cv2.getRotationMatrix2D((225, 120), 20, 1.0)
    tilted = cv2.warpAffine(portrait, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    again = align_face(tilted, detector.detect(tilted)[0].landmarks)
    assert alike(upright, again) > 0.85
    assert alike(upright, again) > alike(upright, align_face(tilted, face.landmarks)) + 0.1


def test_tracker_keeps_to_the_first_face(detector, scene, head):
    """The face followed grows smaller while another, larger one comes in."""
    tracker = FaceTracker(detector)
    for k in range(10):
        image = paste(scene, head, 20 + 4 * k, 60, 90)
        if k >= 3:
            image = paste(image, head, 380, 30, 125)
        seen = tracker.update(0.25 * k, image)
        assert seen.time == 0.25 * k
        assert seen.box[2] < 320
        assert seen.crop.shape == (FACE_SIZE, FACE_SIZE)
    assert tracker.several


def test_tracker_takes_the_largest_face_at_first_and_after_a_loss(detector, scene, head):
    tracker = FaceTracker(detector)
    left, right = paste(scene, head, 20, 60, 90), paste(scene, head, 380, 60, 90)
    assert tracker.update(0.0, paste(left, head, 380, 60, 60)).box[0] < 320
    assert tracker.update(0.25, right) is None  # another face: not yet
    assert tracker.update(0.5, right) is None
    seen = [tracker.update(0.75 + 0.25 * k, right) for k in range(6)]
    first = next(face for face in seen if face is not None)
    assert first.box[0] > 320
    assert FACE_LOST_AFTER < first.time <= FACE_LOST_AFTER + 0.5


def test_tracker_says_when_there_is_one_face_or_none(detector, scene, head):
    tracker = FaceTracker(detector)
    assert [tracker.update(0.25 * k, scene) for k in range(6)] == [None] * 6
    assert tracker.update(2.0, paste(scene, head, 200, 60, 90)) is not None
    assert tracker.update(2.25, scene) is None
    assert not tracker.several
    tracker.update(4.0, paste(paste(scene, head, 20, 60, 110), head, 450, 60, 44))  # a bystander far behind
    assert not tracker.several


def test_tracker_follows_a_small_face_that_the_first_look_misses(detector, scene, head):
    tracker = FaceTracker(detector)
    seen = [tracker.update(0.25 * k, paste(scene, head, 200 + 4 * k, 150, 34)) for k in range(12)]
    assert all(face is not None for face in seen)


def test_tracker_gives_the_face_again_for_a_frame_that_stays(portrait):
    class Counting(FaceDetector):
        calls = 0

        def detect(self, *args, **kwargs):
            self.calls += 1
            return super().detect(*args, **kwargs)

    detector = Counting()
    tracker = FaceTracker(detector)
    first = tracker.update(0.0, portrait)
    calls = detector.calls
    second = tracker.update(3.0, portrait)
    assert detector.calls == calls
    assert second.time == 3.0
    assert np.array_equal(first.crop, second.crop)


def test_looks_for_others_beside_a_followed_face_are_rare_but_do_not_fail(scene, head):
    class Counting(FaceDetector):
        whole = 0

        def detect(self, image, *args, **kwargs):
            self.whole += image.shape == scene.shape
            return super().detect(image, *args, **kwargs)

    detector = Counting()
    tracker = FaceTracker(detector)
    one = paste(scene, head, 60, 60, 100)
    for k in range(17):
        assert tracker.update(0.25 * k, one.copy()) is not None
    assert detector.whole == 1 + 4 / OTHERS_INTERVAL
    two = paste(one, head, 420, 60, 90)
    for k in range(17, 17 + int(4 * OTHERS_INTERVAL) + 1):
        tracker.update(0.25 * k, two.copy())
    assert tracker.several


def test_close_looks_at_a_faceless_video_are_rare(scene):
    class Counting(FaceDetector):
        close = 0

        def detect_odd(self, image):
            self.close += 1
            return super().detect_odd(image)

    detector = Counting()
    tracker = FaceTracker(detector)
    for k in range(20):
        tracker.update(0.25 * k, scene.copy())
    assert 1 <= detector.close <= 5 / LOOK_INTERVAL


def test_threads_share_the_network(portrait, head, scene):
    pictures = [portrait, paste(scene, head, 100, 50, 120), scene, head]
    expected = [[face.landmarks for face in FaceDetector().detect(picture)] for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda picture: FaceDetector().detect(picture), pictures * 5))
    for index, faces in enumerate(found):
        for face, landmarks in zip(faces, expected[index % 4], strict=True):
            assert isinstance(face, Detection)
            np.testing.assert_array_equal(face.landmarks, landmarks)


@pytest.mark.parametrize("engine", ["", "1", "2"], ids=["default", "classic", "new"])
def test_the_faces_are_right_whatever_the_engine(engine, tmp_path, portrait):
    """OpenCV's classic engine keeps the shape of the first picture: it saw faces in a black one."""
    np.save(tmp_path / "portrait.npy", portrait)
    program = (
        "import sys, json, numpy as np\n"
        "from hff.detectors.faces import FaceDetector\n"
        "p = np.load(sys.argv[1]); d = FaceDetector()\n"
        "black = [np.zeros((*side, 3), np.uint8) for side in ((300, 500), (480, 640))]\n"
        "pictures = [p, black[0], p[:300], p[:, :300], black[1], p]\n"
        "print(json.dumps([[f.box.tolist() for f in d.detect(x)] for x in pictures]))\n"
    )
    environment = os.environ | ({"OPENCV_FORCE_DNN_ENGINE": engine} if engine else {})
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "portrait.npy")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    found = json.loads(run.stdout)
    assert [len(faces) for faces in found] == [1, 0, 1, 1, 0, 1]
    for faces in found:
        for box in faces:
            np.testing.assert_allclose(box, [181, 61, 271, 179], atol=10)


def test_detections_that_are_not_finite_are_dropped():
    heat = np.zeros((1, 4, 4), np.float32)
    heat[0, 0, 0] = heat[0, 1, 1] = heat[0, 2, 2] = heat[0, 3, 3] = 0.9
    size, offset, landmarks = (np.zeros((n, 4, 4), np.float32) for n in (2, 2, 10))
    size[0, 0, 0] = np.inf
    offset[1, 1, 1] = np.nan
    landmarks[7, 2, 2] = -np.inf
    size[0, 3, 3] = 1.0
    found = decode_maps(heat, size, offset, landmarks)
    assert len(found) == 1
    assert np.isfinite(found[0].box).all()
    assert np.isfinite(found[0].landmarks).all()

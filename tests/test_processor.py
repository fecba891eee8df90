"""What happens to the frames of a stream, as the visitor's switches stand."""

import asyncio
import itertools
import logging
import multiprocessing
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import aiortc.codecs.vpx
import aiortc.rtcrtpreceiver
import av
import cv2
import numpy as np
import pytest
import streamlit_webrtc.component
import streamlit_webrtc.webrtc
import supervision as sv
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket

from fer import ExpressionAnnotator, ExpressionPipeline, FaceState, FaceView, SourceError
from fer.cores import usable_cores
from fer.web.colours import frame_of, picture_of
from fer.web.pace import Pace, Timing
from fer.web.processor import (
    ExpressionVideoProcessor,
    mirrored,
    running_streams,
)
from fer.web.relay import _WORKERS, AnsweredTrack, BriefJitterBuffer, NewestRelay, take_over
from fer.web.seats import FullError, most_viewers
from fer.web.settings import View, chosen_camera
from fer.web.stream import LiveStream
from fer.web.visit import LastFace, Visit
from tests.streamlit_server import FACE, portrait
from tests.waiting import PATIENCE_S, wait_for

LEFT, TOP = 60, 100
X1, Y1, X2, Y2 = np.add(FACE, (LEFT, TOP, LEFT, TOP))
PLAIN = View(mirror=False)
BLURRED = View(mirror=False, faces=FaceView.BLUR)


@pytest.fixture
def visit() -> Iterator[Visit]:
    visit = Visit()
    yield visit
    visit.end()


@pytest.fixture
def processor(visit: Visit) -> Iterator[ExpressionVideoProcessor]:
    processor = ExpressionVideoProcessor(None, visit, View())
    yield processor
    processor.on_ended()


def scene() -> np.ndarray:
    picture = np.full((480, 640, 3), 110, np.uint8)
    picture[TOP : TOP + 320, LEFT : LEFT + 320] = portrait()
    return picture


def video_frame(picture: np.ndarray) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
    frame.pts, frame.time_base = 4500, Fraction(1, 90_000)
    return frame


def answer(
    processor: ExpressionVideoProcessor,
    picture: np.ndarray | None = None,
    came_s: float | None = None,
) -> np.ndarray:
    """What comes back for a picture, by default that of a face: BGR."""
    frame = processor.recv(video_frame(scene() if picture is None else picture), came_s)
    assert (frame.pts, frame.time_base) == (4500, Fraction(1, 90_000))
    return frame.to_ndarray(format="bgr24")


def sent(picture: np.ndarray) -> np.ndarray:
    """A picture as it is after its way through a stream's colours."""
    return frame_of(picture).to_ndarray(format="bgr24")


def detail(picture: np.ndarray) -> float:
    """How much there is to see of the face: little where it is a few squares."""
    face = cv2.cvtColor(picture[Y1:Y2, X1:X2], cv2.COLOR_BGR2GRAY)
    return float(np.abs(cv2.Laplacian(face[10:-10, 10:-10], cv2.CV_32F)).mean())


def test_a_frame_is_mirrored_before_it_is_written_on(processor: ExpressionVideoProcessor) -> None:
    detections = ExpressionPipeline()(scene())
    expected = scene()[:, ::-1].copy()
    ExpressionAnnotator().annotate(expected, mirrored(detections, 640))
    np.testing.assert_array_equal(answer(processor), sent(expected))


def test_a_mirrored_box_lies_where_the_mirrored_face_is() -> None:
    here, there = (ExpressionPipeline()(picture) for picture in (scene(), scene()[:, ::-1].copy()))
    assert sv.box_iou_batch(mirrored(here, 640).xyxy, there.xyxy)[0, 0] > 0.8
    np.testing.assert_allclose(mirrored(mirrored(here, 640), 640).xyxy, here.xyxy, atol=1e-3)
    np.testing.assert_array_equal(
        mirrored(here, 640).data["attention"], here.data["attention"][:, :, ::-1]
    )
    nobody = ExpressionPipeline()(np.zeros_like(scene()))
    assert len(mirrored(nobody, 640)) == 0


def test_the_switches_take_effect_on_the_next_frame(processor: ExpressionVideoProcessor) -> None:
    answer(processor)
    processor.view = PLAIN
    shown = answer(processor)
    expected = ExpressionAnnotator().annotate(scene(), processor.latest.detections)
    np.testing.assert_array_equal(shown, sent(expected))
    processor.view = BLURRED
    assert detail(answer(processor)) < detail(shown) / 3
    processor.view = PLAIN
    assert detail(answer(processor)) > detail(shown) * 0.9


def test_a_face_that_is_to_be_hidden_is_hidden_from_its_first_frame_on(
    processor: ExpressionVideoProcessor,
) -> None:
    processor.view = BLURRED
    for _ in range(3):
        answer(processor, np.full((480, 640, 3), 110, np.uint8))
        assert detail(answer(processor)) < detail(scene()) / 3


class Camera(MediaStreamTrack):
    """A browser's camera that sees one face, until it is unplugged or ends."""

    kind = "video"

    def __init__(self, size: tuple[int, int] = (640, 480)) -> None:
        super().__init__()
        self.size = size
        self.plugged = asyncio.Event()
        self.plugged.set()

    async def recv(self) -> av.VideoFrame:
        await self.plugged.wait()
        await asyncio.sleep(0.01)
        if self.readyState == "ended":
            raise MediaStreamError
        return video_frame(cv2.resize(scene(), self.size))


async def sent_back(processor: ExpressionVideoProcessor, count: int) -> list[np.ndarray]:
    """The first pictures that go back to a browser."""
    track = AnsweredTrack(Camera(), processor)
    frames = [await track.recv() for _ in range(count)]
    track.stop()
    assert {(frame.pts, frame.time_base) for frame in frames} == {(4500, Fraction(1, 90_000))}
    return [frame.to_ndarray(format="bgr24") for frame in frames]


@pytest.mark.parametrize("faces", [FaceView.BLUR, FaceView.INSTEAD])
def test_no_frame_goes_back_before_its_faces_are_hidden(
    faces: FaceView, processor: ExpressionVideoProcessor
) -> None:
    processor.view = replace(BLURRED, faces=faces)
    for picture in asyncio.run(sent_back(processor, 5)):
        inside = picture[Y1:Y2, X1:X2].astype(int)
        assert np.abs(inside - scene()[Y1:Y2, X1:X2]).mean() > 5
        assert faces == FaceView.INSTEAD or detail(picture) < detail(scene()) / 3


def test_a_camera_that_is_turned_round_or_vanishes_for_a_while_is_followed(
    processor: ExpressionVideoProcessor,
) -> None:
    others = running_streams(processor)

    async def turn_and_unplug() -> None:
        camera = Camera()
        track = AnsweredTrack(camera, processor)
        for size in ((640, 480), (480, 640), (639, 479), (320, 240)):
            camera.size = size
            while ((frame := await track.recv()).width, frame.height) != size:
                pass  # what came before is still answered
        camera.plugged.clear()
        waits = set()
        while not waits:
            answer = asyncio.ensure_future(track.recv())
            _, waits = await asyncio.wait([answer], timeout=0.2)
        camera.size = (640, 480)
        camera.plugged.set()
        while (await answer).width != 640 or len(processor.latest.detections) != 1:
            answer = asyncio.ensure_future(track.recv())
        camera.stop()
        with pytest.raises(MediaStreamError):
            while True:
                await track.recv()

    asyncio.run(asyncio.wait_for(turn_and_unplug(), PATIENCE_S))
    wait_for(lambda: running_streams() == others, "the stream's end")


def test_a_stream_that_breaks_down_ends_alone(
    processor: ExpressionVideoProcessor, visit: Visit, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(ExpressionVideoProcessor):
        def recv(self, frame: av.VideoFrame, came_s: float) -> av.VideoFrame:
            raise MemoryError

    async def watch_both() -> None:
        camera, relay = Camera(), NewestRelay()
        broken = Broken(None, visit, View(), "sample")
        well, ill = (
            relay.subscribe(AnsweredTrack(relay.subscribe(camera), each))
            for each in (processor, broken)
        )
        with pytest.raises(MediaStreamError):
            await ill.recv()
        for _ in range(3):
            assert (await well.recv()).width == 640
        camera.stop()

    asyncio.run(asyncio.wait_for(watch_both(), PATIENCE_S))
    assert [record.levelname for record in caplog.records] == ["ERROR"]


class Echo:
    """Answers each frame with itself."""

    def recv(self, frame: av.VideoFrame, came_s: float) -> av.VideoFrame:
        return frame

    def on_ended(self) -> None:
        pass


class Clock(Camera):
    """Its frames' times are their numbers."""

    count = 0

    async def recv(self) -> av.VideoFrame:
        frame = await super().recv()
        frame.pts = self.count = self.count + 1
        return frame

    async def until(self, frames: int) -> None:
        """Wait until so many were taken."""
        while self.count < frames:
            await asyncio.sleep(0.01)


def test_who_takes_frames_slowly_gets_the_newest() -> None:
    async def watch_slowly() -> None:
        camera, relay = Clock(), NewestRelay()
        track = relay.subscribe(AnsweredTrack(relay.subscribe(camera), Echo()))
        await track.recv()
        for frames in (20, 40):
            await camera.until(frames)  # the reader is busy with something else
            assert (await track.recv()).pts > frames - 15
        camera.stop()

    asyncio.run(watch_slowly())


def test_who_waits_long_in_line_is_answered_with_the_newest_frame() -> None:
    async def wait_in_line() -> None:
        camera, relay, free = Clock(), NewestRelay(), threading.Event()
        track = AnsweredTrack(relay.subscribe(camera), Echo())
        for _ in range(usable_cores()):
            _WORKERS.submit(free.wait)
        answer = asyncio.ensure_future(track.recv())
        try:
            await camera.until(20)
        finally:
            free.set()
        first = (await answer).pts
        assert first >= 19
        assert (await track.recv()).pts > first, "a frame is answered twice"
        camera.stop()

    asyncio.run(asyncio.wait_for(wait_in_line(), PATIENCE_S))


@pytest.mark.parametrize("size", [(640, 480), (639, 480), (640, 479), (1, 1)])
def test_colours_survive_the_way_there_and_back(size: tuple[int, int]) -> None:
    picture = cv2.GaussianBlur(cv2.resize(scene(), size), (0, 0), 3)
    frame = frame_of(picture)
    frame.pts = 0
    assert (frame.width, frame.height) == size
    assert np.abs(picture_of(frame).astype(int) - picture).mean() < 3


def test_a_switch_does_not_make_a_face_another(processor: ExpressionVideoProcessor) -> None:
    ids, times = set(), itertools.count(100, 0.1)
    for view in (PLAIN, View(), BLURRED, PLAIN):
        processor.view = view
        for _ in range(5):
            answer(processor, came_s=next(times))
        ids.add(int(processor.latest.detections.tracker_id[0]))
    assert len(ids) == 1


def test_what_the_network_sees_is_drawn_on_request(processor: ExpressionVideoProcessor) -> None:
    processor.view = PLAIN
    plain = answer(processor)
    processor.view = replace(PLAIN, attention=True)
    heat = answer(processor)
    changed = np.abs(heat.astype(int) - plain).sum(axis=2) > 30
    assert changed[Y1:Y2, X1:X2].mean() > 0.3
    assert changed[:, 400:].mean() == 0


def test_the_log_tells_once_how_long_a_stream_was_and_what_it_took(
    processor: ExpressionVideoProcessor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "fer")
    for _ in range(3):
        answer(processor)
    processor.on_ended()
    processor.on_ended()
    [told] = [record for record in caplog.records if record.getMessage() == "stream ended"]
    assert told.fields["frames"] == 3
    assert 0 < told.fields["work_ms"] < 1000 * told.fields["length_s"]


def test_a_frame_that_cannot_be_read_does_not_end_the_stream(
    processor: ExpressionVideoProcessor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    processor.view = PLAIN
    with monkeypatch.context() as broken:
        broken.setattr(ExpressionPipeline, "__call__", lambda *_: 1 / 0)
        for _ in range(3):
            np.testing.assert_array_equal(answer(processor), sent(scene()))
        processor.view = BLURRED
        assert not answer(processor).any(), "a face that is to be hidden came out"
    assert len(caplog.records) == 1
    answer(processor)
    assert processor.latest is not None and len(processor.latest.detections) == 1


def test_frames_may_change_their_size(processor: ExpressionVideoProcessor) -> None:
    for size in ((640, 480), (320, 240), (640, 480), (480, 640)):
        assert answer(processor, cv2.resize(scene(), size)).shape[1::-1] == size


def test_a_stream_that_ended_lets_go_of_everything(processor: ExpressionVideoProcessor) -> None:
    processor.view = BLURRED
    answer(processor)
    processor.on_ended()
    processor.on_ended()  # the component may say it twice
    assert processor.history.rows.exists()
    before = processor.latest
    assert not answer(processor).any(), "the last frames after the end would show the face"
    assert processor.latest is before


def test_the_last_face_is_kept_undrawn_and_seldom(
    processor: ExpressionVideoProcessor, visit: Visit
) -> None:
    for came_s, view in ((100.0, View()), (100.2, PLAIN)):
        processor.view = view
        answer(processor, came_s=came_s)
        face = visit.last_face
        assert face is not None
        matches = cv2.matchTemplate(scene(), face.frame, cv2.TM_CCOEFF_NORMED)
        _, match, _, (left, top) = cv2.minMaxLoc(matches)
        assert match > 0.999
        expected = np.array([[X1 - left, Y1 - top, X2 - left, Y2 - top]], float)
        assert sv.box_iou_batch(face.box[None], expected)[0, 0] > 0.6
        assert max(face.frame.shape) < 300, "the room is not kept"
    answer(processor, came_s=100.4)
    assert visit.last_face is face, "once a second is enough"


def test_a_hidden_face_is_not_kept(processor: ExpressionVideoProcessor, visit: Visit) -> None:
    answer(processor)
    assert visit.last_face
    processor.view = BLURRED
    answer(processor)
    assert visit.last_face is None


def test_a_face_of_the_sample_is_not_the_visitors(visit: Visit) -> None:
    processor = ExpressionVideoProcessor(None, visit, View(), "sample")
    answer(processor)
    assert visit.last_face is None and processor.history.rows.name == "sample.csv"
    processor.on_ended()


def test_the_largest_face_that_can_be_read_is_kept() -> None:
    boxes = np.float32([[0, 0, 90, 90], [0, 0, 50, 50], [0, 0, 60, 60]])
    state = np.array([FaceState.DARK, FaceState.OK, FaceState.UNSURE], object)
    detections = sv.Detections(boxes, data={"state": state})
    face = LastFace.of(scene(), detections)
    assert face
    np.testing.assert_array_equal(face.box, boxes[2])
    assert LastFace.of(scene(), detections[:1]) is None


def test_the_dark_is_told_from_an_empty_room(processor: ExpressionVideoProcessor) -> None:
    answer(processor, np.full((480, 640, 3), 110, np.uint8))
    assert processor.latest and not processor.latest.too_dark
    answer(processor, np.full((480, 640, 3), 4, np.uint8))
    assert processor.latest.too_dark


def test_the_pace_is_measured(processor: ExpressionVideoProcessor) -> None:
    for _ in range(20):
        answer(processor)
    reading = processor.latest
    assert reading is not None
    assert 0 < reading.work_s < 2 / reading.rate < 2


def test_the_delay_in_the_server_counts_the_wait_and_the_work() -> None:
    pace = Pace()
    assert pace.held_s == pace.work_s == pace.rate == 0
    for number in range(10):  # 10 a second, worked on for 20 ms; every other one comes 40 ms late
        came_s = 100 + 0.1 * number + 0.04 * (number % 2)
        pace.add(Timing(came_s, came_s + 0.005, came_s + 0.02, 0.1 * number))
    assert pace.rate == pytest.approx(10, rel=0.05)
    assert pace.work_s == pytest.approx(0.015)
    assert pace.held_s == pytest.approx(0.02 + 0.02)


@pytest.fixture
def stream(visit: Visit) -> LiveStream:
    stream = LiveStream(visit)
    stream.show(BLURRED)
    return stream


def test_a_recording_shows_what_the_picture_showed(stream: LiveStream) -> None:
    processor = stream.begin(None)
    answer(processor)
    stream.record()
    shown = [answer(processor) for _ in range(10)]
    stream.stop_recording()
    answer(processor)
    assert stream.capture and stream.capture.over
    with av.open(str(stream.capture.path)) as film:
        recorded = [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]
    assert len(recorded) == 10
    assert detail(recorded[5]) < detail(scene()) / 3
    assert np.abs(recorded[5].astype(int) - shown[5]).mean() < 4
    stream.delete_recording()
    assert stream.capture is None and not list(stream.visit.folder.glob("*.mp4"))


@pytest.mark.parametrize("how", ["stop", "another", "leave"])
def test_a_stream_that_ends_ends_its_recording(how: str, stream: LiveStream) -> None:
    processor = stream.begin(None)
    stream.record()
    answer(processor)
    assert stream.capture and not stream.capture.over
    if how == "stop":
        processor.on_ended()
    elif how == "another":
        stream.begin(None)
    else:
        stream.visit.end()
    assert stream.capture.over and stream.capture.problem is None
    assert stream.capture.path.exists() == (how != "leave")
    assert stream.visit.folder.exists() == (how != "leave")


def test_a_new_recording_takes_the_place_of_the_last(stream: LiveStream) -> None:
    processor = stream.begin(None)
    for frames in (9, 2):
        stream.record()
        for _ in range(frames):
            answer(processor)
        stream.stop_recording()
    assert [path.suffix for path in stream.visit.folder.glob("rec*")] == [".mp4"]
    with av.open(str(stream.capture.path)) as film:
        assert len(list(film.decode(video=0))) == 2


def test_a_recording_that_cannot_begin_is_told_in_a_sentence(
    stream: LiveStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream.begin(None)
    (stream.visit.folder / "recording.mp4").mkdir()
    monkeypatch.setattr(LiveStream, "delete_recording", lambda self: None)
    stream.record()
    assert stream.problem and str(stream.visit.folder) not in stream.problem
    assert stream.capture is None


def test_many_streams_are_asked_for_fewer_frames_each(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer.web.settings.usable_cores", lambda: 2)
    before = running_streams()
    streams = [ExpressionVideoProcessor(None, visit, View()) for _ in range(6)]
    assert running_streams() == before + 6
    for stream in streams:
        stream.on_ended()
    assert running_streams() == before
    assert [chosen_camera(others).rate for others in (0, 2, 5, 1000)] == [30, 30, 15, 5]


def test_who_vanished_leaves_the_place_to_another(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_MAX_VIEWERS", "1")
    first, second = LiveStream(visit), LiveStream(visit)
    processor = first.begin(None)
    first.begin(None)  # one's own place is free to oneself
    with pytest.raises(FullError, match=r"full.*START.*photo or a video"):
        second.begin(None)
    now_s = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now_s + 60)
    second.begin(None)
    with pytest.raises(FullError):
        first.begin(None)
    second.end()
    assert first.begin(None) is not processor
    first.end()


def test_places_are_set_by_the_one_who_runs_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FER_MAX_VIEWERS", raising=False)
    monkeypatch.setattr("fer.web.seats.usable_cores", lambda: 2)
    assert most_viewers() == 8
    monkeypatch.setenv("FER_MAX_VIEWERS", "3")
    assert most_viewers() == 3
    for text in ("0", "-1", "many", ""):
        monkeypatch.setenv("FER_MAX_VIEWERS", text)
        with pytest.raises(SourceError, match=r"^FER_MAX_VIEWERS is not understood"):
            most_viewers()


def packet(number: int, frame: int, data: bytes = b"data", *, last: bool = False) -> RtpPacket:
    made = RtpPacket(sequence_number=number, timestamp=3000 * frame, marker=int(last))
    made._data = data
    return made


def handed_on(*packets: RtpPacket) -> list[tuple[int, bytes]]:
    """The frames that a video's packets give, each after how many of them."""
    buffer = BriefJitterBuffer(512, is_video=True)
    answers = [buffer.add(each)[1] for each in packets]
    return [(count, frame.data) for count, frame in enumerate(answers, 1) if frame]


def test_a_picture_is_handed_on_when_its_last_packet_has_come() -> None:
    first, second = packet(7, 0, b"a"), packet(8, 0, b"b", last=True)
    assert handed_on(first, second) == [(2, b"ab")]
    following = packet(9, 1, b"c", last=True), packet(10, 2, b"d", last=True)
    assert handed_on(first, second, *following) == [(2, b"ab"), (3, b"c"), (4, b"d")]
    other = packet(6, 0, b"_")
    assert handed_on(other, second, first, *following) == [(3, b"_ab"), (4, b"c"), (5, b"d")]


def test_packets_of_nothing_are_no_picture() -> None:
    nothing = packet(8, 0, b""), packet(9, 0, b"", last=True), packet(10, 0, b"")
    frame = packet(11, 1, b"b"), packet(12, 1, b"c", last=True)
    given = handed_on(packet(7, 0, b"a", last=True), *nothing, *frame)
    assert given == [(1, b"a"), (6, b"bc")]


def test_pictures_whose_end_is_not_marked_are_handed_on_too() -> None:
    packets = [packet(7, 0, b"a"), packet(8, 0, b"b"), packet(9, 1, b"c"), packet(10, 2, b"d")]
    assert handed_on(*packets) == [(3, b"ab"), (4, b"c")]


def test_an_encoder_has_one_thread_however_large_the_picture(monkeypatch):
    for module, name in (  # to be put back
        (aiortc.codecs.vpx, "number_of_threads"),
        (aiortc.rtcrtpreceiver, "JitterBuffer"),
        (streamlit_webrtc.webrtc, "AsyncVideoProcessTrack"),
        (streamlit_webrtc.webrtc, "get_global_relay"),
        (streamlit_webrtc.component, "get_script_run_count"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(multiprocessing, "cpu_count", lambda: 16)
    take_over()
    encoder, frame = aiortc.codecs.vpx.Vp8Encoder(), frame_of(np.zeros((720, 1280, 3), np.uint8))
    frame.pts, frame.time_base = 0, Fraction(1, 30)
    assert encoder.encode(frame)
    assert encoder.codec.thread_count == 1

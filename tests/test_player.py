"""The sample in place of a camera."""

import asyncio
from itertools import pairwise
from pathlib import Path

import av
import pytest
from aiortc.mediastreams import MediaStreamError

from fer.sample import SAMPLE_VIDEO
from fer.web import player
from fer.web.player import FilmPlayer

TASKS = Path("/proc/self/task")


class Clock:
    """Time that passes only while someone sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += max(seconds, 0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(player.time, "monotonic", clock.monotonic)
    monkeypatch.setattr(player.asyncio, "sleep", clock.sleep)
    return clock


def frames_of(path: Path) -> int:
    with av.open(str(path)) as film:
        return sum(1 for _ in film.decode(video=0))


def test_the_film_goes_on_after_its_end_at_its_own_pace(clock: Clock) -> None:
    film, count = FilmPlayer(SAMPLE_VIDEO), frames_of(SAMPLE_VIDEO)
    shown = []

    async def watch() -> None:
        for _ in range(2 * count + 10):
            frame = await film.recv()
            shown.append((frame.time, clock.now_s - 100))

    asyncio.run(watch())
    for (time_s, seen_s), (next_s, _) in pairwise(shown):
        assert seen_s == pytest.approx(time_s, abs=1e-6)
        assert 0 < next_s - time_s < 0.1
    assert shown[-1][0] == pytest.approx(2 * 12 + 0.5, abs=0.2)


@pytest.mark.skipif(not TASKS.exists(), reason="threads are counted in /proc")
def test_a_player_needs_no_thread_and_ends_when_it_is_stopped() -> None:
    before = len([*TASKS.iterdir()])
    film = FilmPlayer(SAMPLE_VIDEO)

    async def watch() -> None:
        await film.recv()
        assert len([*TASKS.iterdir()]) == before
        film.stop()
        with pytest.raises(MediaStreamError):
            await film.recv()

    asyncio.run(watch())

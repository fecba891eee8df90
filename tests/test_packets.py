"""The one clock of a film; `tests/test_recording.py` and `tests/test_media.py` have films of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count, islice
from types import SimpleNamespace

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer.packets import FilmPackets

CLOCK = Fraction(1, 1000)
STAMPS = st.none() | st.integers(-9000, 9000) | st.sampled_from((-(2**63) + 1, -(2**62), 2**63 - 1))


@dataclass
class FakePacket:
    """Has times as FFmpeg has them: numbers of 64 bits."""

    stream: SimpleNamespace = field(repr=False)
    dts: int | None
    pts: int | None
    duration: int | None = 40
    time_base: Fraction = CLOCK

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, int) and not -(2**63) < value < 2**63:
            raise OverflowError
        super().__setattr__(name, value)


class FakeFilm:
    """A film in memory: its pictures, its sound, and their packets."""

    def __init__(self, kind: str = "mpegts") -> None:
        self.format = SimpleNamespace(name=kind)
        given = {"container": self, "time_base": CLOCK, "start_time": None, "average_rate": 25}
        self.pictures, self.sound = (SimpleNamespace(index=n, **given) for n in range(2))
        self.packets: list[FakePacket] = []

    def add(self, stream: SimpleNamespace, time_s: float) -> None:
        self.packets.append(FakePacket(stream, round(time_s * 1000), round(time_s * 1000)))

    def end(self) -> None:
        """Add what PyAV gives at the end: a packet of each stream, without a time."""
        self.packets += [FakePacket(stream, None, None) for stream in (self.pictures, self.sound)]

    def demux(self, streams: list[SimpleNamespace]) -> list[FakePacket]:
        return self.packets

    def times_s(self, stream: SimpleNamespace) -> list[float]:
        packets = FilmPackets(self.pictures, self.sound)
        own = [packet.dts for packet in packets if packet.stream is stream]
        return [time / 1000 for time in own[:-1]]


@pytest.mark.parametrize("late_s", [0.0, 0.8])
@pytest.mark.parametrize("start_s", [0.0, 5000.0])
def test_sound_that_comes_late_in_the_file_follows_the_pictures_to_their_new_clock(late_s, start_s):
    film = FakeFilm()
    own_s = [start_s + n * 0.04 for n in range(100)] + [n * 0.04 for n in range(300)]
    late = round(late_s / 0.04)
    for number, time_s in enumerate(own_s):
        film.add(film.pictures, time_s)
        if number >= late:
            film.add(film.sound, own_s[number - late])
    film.end()
    expected = [n * 0.04 for n in range(400)]
    assert film.times_s(film.pictures) == pytest.approx(expected)
    assert film.times_s(film.sound) == pytest.approx(expected[: 400 - late])


def test_slides_come_when_they_are_to_come():
    film = FakeFilm("matroska")
    times_s = [0.0, 7.0, 7.5, 30.0, 90.0, 90.1]
    for time_s in times_s:
        film.add(film.pictures, time_s)
    film.end()
    assert film.times_s(film.pictures) == times_s


@given(st.lists(st.tuples(st.booleans(), STAMPS, STAMPS, st.sampled_from((None, 0, 40, 2**62)))))
def test_whatever_times_a_film_has_each_packet_comes_once_and_in_its_order(stamps):
    film = FakeFilm()
    for heard, dts, pts, duration in stamps:
        stream = film.sound if heard else film.pictures
        film.packets.append(FakePacket(stream, dts, pts, duration))
    film.end()
    given = list(film.packets)
    read = list(FilmPackets(film.pictures, film.sound))
    for stream in (film.pictures, film.sound):
        assert [id(p) for p in read if p.stream is stream] == [
            id(p) for p in given if p.stream is stream
        ]


@given(st.integers(1, 99), st.floats(-1e5, 1e5))
def test_one_wrong_time_moves_no_other(number, wrong_s):
    film = FakeFilm()
    times_s = [500 + n * 0.04 for n in range(100)]
    for n, time_s in enumerate(times_s):
        film.add(film.pictures, time_s + wrong_s * (n == number))
    film.end()
    assert film.times_s(film.pictures) == pytest.approx([n * 0.04 for n in range(100)], abs=0.25)


def test_times_that_stand_still_hold_nothing_back_for_ever():
    film = FakeFilm()
    endless = (FakePacket(film.pictures, min(n, 50) * 40 + 9000 * (n > 50), None) for n in count())
    film.demux = lambda streams: endless
    times = [packet.dts for packet in islice(FilmPackets(film.pictures, None), 1000)]
    assert times == sorted(times)


def test_what_is_held_still_comes_when_the_file_breaks_off():
    film = FakeFilm()
    for number in range(10):
        film.add(film.pictures, number * 0.04 + 5000 * (number > 7))
    packets, came = film.packets, []

    def broken(streams: list[SimpleNamespace]) -> Iterator[FakePacket]:
        yield from packets
        raise av.InvalidDataError(1, "broken")

    film.demux = broken
    with pytest.raises(av.FFmpegError):
        came.extend(FilmPackets(film.pictures, None))
    assert came == packets

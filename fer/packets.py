"""The packets of a film: its pictures and its sound, on one clock."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import av

from fer.containers import DEFAULT_RATE, is_avi, is_broadcast

_JUMP_S = 0.2  # what comes so much too early or too late has a wrong time, or another clock
_CERTAIN_S = 1.0  # of such times in a row are no mistake
_APART_S = 10.0  # by one clock, the pictures and the sound of a file are never so far apart
_REORDERED_S = 60.0  # pictures are never decoded so long before they are shown
_MOST_HELD = 100  # packets: then their times are taken as they are, so that nothing waits for ever
_LATEST = 2**62  # units of time: FFmpeg counts them in 64 bits


@dataclass
class _Track:
    """Where one stream of a film has come to.

    Attributes:
        unit_s: The unit of its times.
        step_s: How long a packet lasts that does not say.
        clock: Number of the clock that its times are told by.
        last_s: When its last packet was due by that clock; None before the first.
        next_s: When its next one is.
        end_s: When that is since the beginning of the film.
        held: Packets that were not due, with their times, until it is plain what that means.
    """

    unit_s: float
    step_s: float = 0.0
    clock: int = 0
    last_s: float | None = None
    next_s: float = 0.0
    end_s: float = 0.0
    held: list[tuple[float, Any]] = field(default_factory=list)

    def is_due(self, own_s: float) -> bool:
        """Whether a time is about the next by the same clock."""
        if self.last_s is None:
            return True
        late_s = max(_JUMP_S, self.next_s - self.last_s)
        return self.last_s - _JUMP_S < own_s < self.next_s + late_s

    def length_s(self, packet: Any) -> float:
        """How long a packet lasts."""
        return (packet.duration or 0) * self.unit_s or self.step_s

    def own_time_s(self, packet: Any) -> float | None:
        """When a packet is to be decoded by its file's clock; None if it does not say."""
        return None if packet.dts is None else packet.dts * self.unit_s


class FilmPackets:
    """Reads the packets of a film, and counts their times from where its pictures begin.

    Where the file's own clock begins anew, as in films that were joined and in
    recorded broadcasts, the times go on, and pictures and sound stay in step. A
    few packets with wrong times get those that their neighbours leave them. What
    comes late at the very end is believed but in broadcasts: it may be a last slide.

    Iterating gives PyAV's packets, and raises `av.FFmpegError` where it cannot go on.

    Args:
        pictures: PyAV's stream of them, with whose beginning time begins, though the
            first of them may be damaged; if it does not say, with the first packet.
        sound: PyAV's stream of it; None for none.

    Attributes:
        end_s: When the pictures that came so far are over, in seconds since the beginning.
    """

    def __init__(self, pictures: Any, sound: Any) -> None:
        self.end_s = 0.0
        self._streams = [pictures, sound] if sound else [pictures]
        self._tracks = {
            stream.index: _Track(float(stream.time_base or 1)) for stream in self._streams
        }
        self._tracks[pictures.index].step_s = 1 / float(pictures.average_rate or DEFAULT_RATE)
        self._zeros_s: list[float] = []  # by each of the file's clocks, when the film began
        if pictures.start_time is not None and pictures.time_base and not is_avi(pictures):
            self._zeros_s.append(float(pictures.start_time * pictures.time_base))

    def __iter__(self) -> Iterator[Any]:
        try:
            for packet in self._streams[0].container.demux(self._streams):
                yield from self._take(packet, self._tracks[packet.stream.index])
        except av.FFmpegError:
            for track in self._tracks.values():
                yield from self._settle(track)
            raise

    def _settle(self, track: _Track) -> Iterator[Any]:
        """Give what is held as it is."""
        held, track.held = track.held, []
        for _, packet in held:
            yield self._set_time(packet, track)

    def _take(self, packet: Any, track: _Track) -> Iterator[Any]:
        """Give a packet, or hold it until later ones show whether its time is right."""
        own_s, held, track.held = track.own_time_s(packet), track.held, []
        if held and self._are_wrong(held, own_s, track):
            time_s = track.next_s
            for _, wrong in held:
                wrong.pts = wrong.dts = _earlier(round(time_s / track.unit_s), 0)
                time_s += track.length_s(wrong)
        elif held and own_s is not None:
            if len(held) < _MOST_HELD and abs(own_s - held[0][0]) < _CERTAIN_S:
                track.held = [*held, (own_s, packet)]
                return
        for _, settled in held:
            yield self._set_time(settled, track)
        if own_s is None or track.is_due(own_s):
            yield self._set_time(packet, track)
        else:
            track.held = [(own_s, packet)]

    def _are_wrong(self, held: list[tuple[float, Any]], own_s: float | None, track: _Track) -> bool:
        """Whether the next time goes on from before the held ones, and not from these."""
        if own_s is None:  # the end
            few = held[-1][0] - held[0][0] < _JUMP_S
            return few and held[0][0] > track.next_s and is_broadcast(self._streams[0])
        expected_s = track.next_s + sum(track.length_s(packet) for _, packet in held)
        return abs(own_s - expected_s) < abs(own_s - held[-1][0])

    def _set_time(self, packet: Any, track: _Track) -> Any:
        own_s = track.own_time_s(packet)
        if own_s is not None:
            self._go_on(own_s, track)
            track.last_s, track.next_s = own_s, own_s + track.length_s(packet)
            track.end_s = track.next_s - self._zeros_s[track.clock]
            if packet.stream is self._streams[0]:
                self.end_s = max(self.end_s, track.end_s)
        elif packet.pts is None or not self._zeros_s:  # unknown; or the stream's end
            return packet
        zero = round(self._zeros_s[track.clock] / track.unit_s)
        packet.dts = _earlier(packet.dts, zero)
        packet.pts = _earlier(packet.pts, zero)
        if packet.dts is not None and packet.pts is not None:
            if abs(packet.pts - packet.dts) * track.unit_s > _REORDERED_S:
                packet.pts = packet.dts
        return packet

    def _go_on(self, own_s: float, track: _Track) -> None:
        if track.last_s is None:
            self._zeros_s = self._zeros_s or [own_s]
            track.clock = len(self._zeros_s) - 1
        elif own_s < track.last_s - _JUMP_S:
            self._change_clock(own_s, track)

    def _change_clock(self, own_s: float, track: _Track) -> None:
        """Let a track follow another, which has changed its clock before, or go first."""
        for clock in range(track.clock + 1, len(self._zeros_s)):
            if abs(own_s - self._zeros_s[clock] - track.end_s) < _APART_S:
                track.clock = clock
                return
        ends_s = [other.end_s for other in self._tracks.values()]
        self._zeros_s.append(own_s - max(s for s in ends_s if s < track.end_s + _APART_S))
        track.clock = len(self._zeros_s) - 1


def _earlier(stamp: int | None, zero: int) -> int | None:
    return None if stamp is None or abs(stamp - zero) > _LATEST else stamp - zero

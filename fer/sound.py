"""The sound of a film, for its copy."""

import logging
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av

from fer.packets import FilmPackets

LONGEST_GAP_S = 3600.0
"""FFmpeg aborts the process where a track of MP4 has a gap of hours, in seconds."""

_COPIED_SOUND = {"aac", "ac3", "alac", "eac3", "flac", "mp3", "opus"}  # players know it in MP4

logger = logging.getLogger(__name__)


class Sound:
    """The sound of one file, for another: its packets, or AAC where MP4 would not take them.

    Args:
        sound: PyAV's stream of the sound.
        video: The stream of the pictures, with whose beginning its time begins.
        container: PyAV's output, which gets a stream for it.
    """

    def __init__(self, sound: Any, video: Any, container: Any) -> None:
        packets = (packet for packet in FilmPackets(video, sound) if packet.stream is sound)
        codec = sound.codec_context
        name = codec.codec.canonical_name
        # AAC of broadcasts carries its description in every packet, where MP4 has it once.
        if name in _COPIED_SOUND and (name != "aac" or codec.extradata):
            self._output = container.add_stream_from_template(sound)
            self._pieces = self._copied(packets)
        else:
            rates = av.Codec("aac", "w").audio_rates or ()
            rate = codec.rate if codec.rate in rates else 48_000
            layout = "mono" if codec.channels == 1 else "stereo"  # codec.layout may be unnamed
            self._output = container.add_stream("aac", rate=rate, layout=layout)
            self._pieces = self._encoded(packets)
        self._next: tuple[float, list[Any]] | None = (-math.inf, [])

    def until(self, time_s: float) -> Iterator[list[Any]]:
        """Give what is heard up to a time and was not given yet, as packets."""
        while self._next and self._next[0] <= time_s:
            yield self._next[1]
            try:
                self._next = next(self._pieces, None)
            except (av.FFmpegError, ValueError) as error:  # damaged, or of another rate
                # Not all that FFmpeg says: a URL may hold a password.
                why = error.strerror if isinstance(error, av.FFmpegError) else error
                logger.warning("The sound ends early: %s.", why)
                self._next = None

    def _copied(self, packets: Iterator[Any]) -> Iterator[tuple[float, list[Any]]]:
        last = -math.inf
        for packet in packets:
            # The last is empty.
            if packet.dts is None or packet.pts is None or packet.dts <= last:
                continue
            unit_s = float(packet.time_base)
            _refuse_gap(max(packet.dts - last, abs(packet.pts - packet.dts)) * unit_s)
            last = packet.dts
            packet.stream = self._output
            yield packet.dts * unit_s, [packet]

    def _encoded(self, packets: Iterator[Any]) -> Iterator[tuple[float, list[Any]]]:
        end_s = -math.inf
        for packet in packets:
            for frame in packet.decode():
                lasts_s = frame.samples / frame.sample_rate
                time_s = max(end_s, 0) if frame.time is None else frame.time
                if time_s + lasts_s <= end_s:  # of this something was heard already
                    continue
                time_s = max(time_s, end_s)
                _refuse_gap(time_s - end_s)
                end_s = time_s + lasts_s
                frame.time_base = Fraction(1, frame.sample_rate)
                frame.pts = round(time_s / frame.time_base)
                yield time_s, self._output.encode(frame)
        yield end_s, self._output.encode(None)


def _refuse_gap(seconds: float) -> None:
    if math.inf > seconds > LONGEST_GAP_S:  # infinite before what comes first
        raise ValueError("there is a gap of more than an hour")

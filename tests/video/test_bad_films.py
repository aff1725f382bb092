from __future__ import annotations

import wave

import av
import numpy as np
import pytest

from tronie.core.errors import SourceError
from tronie.video.reader import VideoReader, probe

STEADY = [k / 25 for k in range(60)]


def a_sound(path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000))


@pytest.mark.parametrize(
    ("name", "fill", "says"),
    [
        ("missing.mp4", lambda p: None, "does not exist"),
        ("empty.mp4", lambda p: p.write_bytes(b""), "is empty"),
        ("text.mp4", lambda p: p.write_text("not a film\n" * 100), "cannot be read as a film"),
        ("noise.mp4", lambda p: p.write_bytes(np.random.default_rng(0).bytes(5000)), "cannot be read as a film"),
        ("sound.mp4", a_sound, "no moving pictures"),
        ("folder.mp4", lambda p: p.mkdir(), "cannot"),
    ],
)
def test_what_is_no_film_is_refused_in_one_sentence(tmp_path, name, fill, says) -> None:
    fill(tmp_path / name)
    for opens in (VideoReader, probe):
        with pytest.raises(SourceError, match=says) as told_so:
            opens(tmp_path / name)
        sentence = str(told_so.value)
        assert name in sentence
        assert sentence.endswith(".")
        assert "\n" not in sentence


def test_a_film_cut_before_its_index_is_refused(film) -> None:
    path = film(STEADY)  # the index of this one lies at its end
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(SourceError, match="cut short"):
        VideoReader(path)


def test_a_play_list_opens_no_other_file(tmp_path, film) -> None:
    film(STEADY, "inner.mp4")
    liar = tmp_path / "liar.mp4"
    liar.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:2,\nhttp://127.0.0.1:9/inner.mp4\n#EXT-X-ENDLIST\n")
    with pytest.raises(SourceError):
        VideoReader(liar)


def test_a_hole_that_the_container_hides_is_said(film, tmp_path) -> None:
    whole, torn = film(STEADY, "whole.mkv", keyframes=1), tmp_path / "torn.mkv"
    with av.open(str(whole)) as old, av.open(str(torn), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(p for p in old.demux(video=0) if p.size):
            if not 20 <= number < 25:
                packet.stream = stream
                new.mux(packet)
    with VideoReader(whole) as reader:
        assert len(list(reader)) == 60 and reader.warnings == []
    with VideoReader(torn) as reader:
        assert len(list(reader)) == 55
        assert reader.warnings == [
            f"Film {torn} lacks pictures for 0.2 s in all, first at 0.8 s: this time counts as not seen; the rest was "
            "read."
        ]

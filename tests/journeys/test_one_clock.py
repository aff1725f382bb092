"""One clock, the player's, from the film to whatever is made of it; and what nobody saw is claimed by nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tronie
from tronie import cli
from tronie.core.errors import SettingError
from tronie.output.coder import read_spans
from tronie.pipeline import resumable
from tronie.pipeline.archive_tasks import HIDDEN, Task, absolute, key_of, perform
from tronie.pipeline.selfcheck import selfcheck
from tronie.pipeline.watch import watch
from tronie.video.sources import Source
from tronie.video.variations import FILMS

LATE = {"times": [2 + k / 10 for k in range(40)], "sound": 0.0}  # sound from 0 s, the picture from 2 s, a change at 4 s
HOLE = [*(k / 10 for k in range(10)), *(7 + k / 10 for k in range(10))]  # nothing between 1 s and 7 s


@pytest.fixture
def reader(films, planted):
    """What reads the faces of these films."""
    return lambda: {"model": planted.Model(), "detector": films.Detector()}


def run(capsys, *arguments: object) -> str:
    code = cli.main([str(one) for one in arguments])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


@pytest.mark.parametrize("name", ["late.mp4", "late.webm", "late.mkv", "late.ts"])
def test_a_picture_later_than_the_sound_is_told_at_the_player_s_times(
    films, reader, tmp_path, capsys, monkeypatch, name
) -> None:
    monkeypatch.chdir(tmp_path)
    path = films.film(Path(name), "h" * 20 + "s" * 20, **LATE)
    timeline = tronie.predict(path, **reader())
    spells = [(s.start, s.end, s.label) for s in timeline.segments()]
    about = 0.05 if name == "late.ts" else 0.001  # with the run-up of the sound's coder, which counts there
    assert [s[2] for s in spells] == ["happiness", "sadness"]
    assert np.array([s[:2] for s in spells]) == pytest.approx(np.array([(2.0, 4.0), (4.0, 6.0)]), abs=about)
    assert timeline.looked[0].start == pytest.approx(2.0, abs=about) and timeline.warnings == ()
    timeline.save("late.csv")
    for ending in ("eaf", "TextGrid", "csv"):
        run(capsys, "segments", "late.csv", "--out", f"out.{ending}")
        told = [(span.start, span.end) for span in read_spans(f"out.{ending}")]
        assert np.array(told) == pytest.approx(np.array([s[:2] for s in spells]), abs=0.001)
    run(capsys, "segments", "late.csv", "--out", "out.vtt")
    first, second = re.findall(r"00:00:(\d+\.\d+) -->", Path("out.vtt").read_text())
    assert (float(first), float(second)) == pytest.approx((spells[0][0], spells[1][0]), abs=0.001)
    # Somebody who codes in ELAN or over a player, without a mistake
    Path("coder.csv").write_text("tier,start,end,label\nperson 0,2,4,happiness\nperson 0,4,6,sadness\n")
    kappa = re.search(r"kappa, sure answers +([\d.]+)", run(capsys, "compare", "late.csv", "coder.csv"))
    assert float(kappa[1]) == pytest.approx(1.0, abs=0.06 if name == "late.ts" else 1e-9)
    seen: list = []
    watch(str(path), show=seen.append, **reader())
    assert [one.time for one in seen] == pytest.approx(np.unique(timeline["time"]).tolist(), abs=1e-6)
    if name == "late.mp4":
        held = {row.variation: row.steadiness.held for row in selfcheck(path, **reader()).rows}
        assert held == dict.fromkeys(FILMS, 1.0)


def test_thinning_begins_at_the_first_picture(films, reader, tmp_path) -> None:
    path = films.film(tmp_path / "late.mp4", "h" * 20, [0.84 + k / 10 for k in range(20)], sound=0.0)
    assert tronie.predict(path, fps=2, **reader())["time"] == pytest.approx([0.84, 1.34, 1.84, 2.34], abs=1e-3)


@pytest.mark.parametrize("fps", [None, 5])
def test_a_stretch_without_pictures_is_one_thing_not_seen(films, reader, tmp_path, capsys, fps) -> None:
    path = films.film(tmp_path / "gap.mp4", "h" * 20, HOLE)
    timeline = tronie.predict(path, fps=fps, **reader())
    assert [(s.track, s.start, s.end, s.label, s.usable) for s in timeline.segments()] == [
        (0, 0.0, pytest.approx(1.0, abs=1e-3), "happiness", 1.0),
        (0, pytest.approx(7.0, abs=1e-3), pytest.approx(8.0, abs=1e-3), "happiness", 1.0),
    ]
    (looked,) = timeline.looked
    assert looked.unseen == ((pytest.approx(1.0, abs=1e-3), pytest.approx(7.0, abs=1e-3)),) and looked.empty == ()
    assert sum(total.seconds for total in timeline.summary()) == pytest.approx(2.0, abs=0.01)
    (warning,) = timeline.warnings
    assert "lacks pictures for 6.0 s in all, first at 1.0 s" in warning and "damage" not in warning
    for ending in ("csv", "json"):
        timeline.save(tmp_path / f"gap.{ending}")
        assert tronie.Timeline.load(tmp_path / f"gap.{ending}") == timeline
    assert json.loads((tmp_path / "gap.meta.json").read_text())["looked"][0]["unseen"] == [list(looked.unseen[0])]
    run(capsys, "report", tmp_path / "gap.csv", "--out", tmp_path / "gap.html")
    assert "without pictures, not seen" in (tmp_path / "gap.html").read_text()


@pytest.mark.parametrize("fps", [None, 2])
@pytest.mark.parametrize("name", ["gap.mp4", "late.mp4", "uneven.mkv", "stills.gif"])
def test_a_film_that_is_watched_gives_the_table_that_it_gives_when_it_is_read(
    films, reader, tmp_path, name, fps
) -> None:
    times = {"gap": HOLE, "late": LATE["times"][:20], "uneven": [k * k / 20 for k in range(12)]}.get(name[:-4], [])
    path = tmp_path / name
    if name == "stills.gif":
        first, *others = [Image.fromarray(films.picture(k, "h")) for k in range(6)]
        first.save(path, save_all=True, append_images=others, duration=[200, 200, 3000, 200, 2000, 700])
    else:
        films.film(path, "h" * len(times), times)
    told = tronie.predict(path, fps=fps, **reader())
    seen = watch(str(path), fps=fps, **reader())
    for column in ("time", "duration", "label"):
        assert told[column].tolist() == seen[column].tolist()
    assert told.looked == seen.looked


@pytest.mark.parametrize("duration", [-0.1, float("nan"), float("inf")])
def test_a_frame_that_lasts_no_time_at_all_is_refused(films, reader, duration) -> None:
    with pytest.raises(SettingError, match="lasts"):
        tronie.Analyser(**reader()).push(films.picture(0, "h"), 0.0, duration)


def test_a_stream_that_stood_still_was_not_seen(films, reader) -> None:
    analyser = tronie.Analyser(**reader())
    for number, time in enumerate(HOLE):
        analyser.push(films.picture(number, "h"), time)
    timeline = analyser.finish()
    told = [(s.start, s.end) for s in timeline.segments()]
    assert np.array(told) == pytest.approx(np.array([(0, 1), (7, 8)]))
    assert timeline.looked[0].unseen == ((1.0, 7.0),)
    film = np.stack([films.picture(number, "h") for number in range(len(HOLE))])
    again = tronie.Analyser(**reader()).analyse(film, times=HOLE)
    assert again.looked[0].unseen == ((1.0, 7.0),) and len(again.segments()) == 2


@pytest.mark.parametrize("rate", [1, 0.5, 0.2])
def test_in_a_slow_film_a_person_stays_one(films, planted, reader, tmp_path, rate) -> None:
    path = films.film(tmp_path / "slow.mp4", "h" * 6, [k / rate for k in range(6)])
    timeline = tronie.predict(path, **reader())
    assert set(timeline["track"]) == {0} and timeline.warnings == ()
    (only,) = timeline.segments()
    assert (only.start, only.label) == (0.0, "happiness") and only.end >= 5 / rate


def test_a_film_thinned_to_less_than_a_picture_a_second_keeps_its_person(films, reader, tmp_path) -> None:
    path = films.film(tmp_path / "film.mp4", "h" * 80)
    timeline = tronie.predict(path, fps=0.5, **reader())
    assert len(timeline) == 4 and len(timeline.segments()) == 1


@pytest.mark.parametrize("fps", [None, 4])
def test_a_late_film_with_holes_goes_on_to_the_same_table(films, planted, tmp_path, monkeypatch, fps) -> None:
    monkeypatch.setattr(resumable, "EVERY", 0.3)
    times = [0.84 + t for t in (*(k / 10 for k in range(12)), *(2 + k / 10 for k in range(12)), 6.0, 6.1, 6.15, 9.0)]
    path = films.film(tmp_path / "film.mkv", "h" * 20 + "s" * 8, times, sound=0.0, sound_ends=12.0)
    source = Source(path, "video", "film.mkv")
    task = Task(key_of([absolute(source)]), "video", (source,), "film")
    settings = tronie.Settings(cell=0.25, lag=0.5, fps=fps)

    def table(name: str, stops: list[int]) -> list[bytes]:
        out = tmp_path / name
        (out / HIDDEN).mkdir(parents=True)
        for after in (*stops, None):
            asked = iter(range(10**6))
            analyser = tronie.Analyser(planted.Model(), detector=films.Detector(), settings=settings)
            perform(task, analyser, out, stop=(lambda n=after, a=asked: next(a) >= n) if after is not None else None)
        return [(out / one).read_bytes() for one in ("film.csv", "film.meta.json")]

    whole = table("whole", [])
    assert b'"unseen"' in whole[1] and b"breaks off" not in whole[1]
    for stop in (3, 11):
        assert table(f"at {stop}", [stop, stop, stop]) == whole

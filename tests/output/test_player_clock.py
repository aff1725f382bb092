"""Tronie's times are a player's: in Chromium, the picture at a segment's start is the picture that is meant."""

from __future__ import annotations

import base64

import pytest

import tronie
from tronie.pipeline.annotate import annotate

HAIR = 0.002  # seconds: as much as the report adds when it seeks
LATE = {"times": [0.84 + k / 10 for k in range(20)], "sound": 0.0}
FIVE = [5 + k / 10 for k in range(20)]
KINDS = {
    "mp4 with B-frames": ("a.mp4", {}),
    "mp4, sound before picture": ("a.mp4", LATE),
    "mp4 in pieces, sound before picture": ("a.mp4", {**LATE, "options": {"movflags": "frag_keyframe+delay_moov"}}),
    "mp4 in pieces without an edit list": (
        "a.mp4",
        {
            "sound": 0.0,
            "encoder": {"bf": "0", "g": "6", "crf": "10"},
            "options": {"movflags": "frag_keyframe+empty_moov"},
        },
    ),
    "mp4, picture before sound": ("a.mp4", {"sound": 0.7}),
    "mp4 that begins at 5 s": ("a.mp4", {"times": FIVE, "sound": 5.0}),
    "mp4 that begins at 5 s, silent": ("a.mp4", {"times": FIVE}),
    "mp4 cut by its edit list": ("a.mp4", {"sound": 0.0, "shift": -0.35}),
    "mov, sound before picture": ("a.mov", LATE),
    "mkv, sound before picture": ("a.mkv", LATE),
    "webm": ("a.webm", {}),
    "webm, sound before picture": ("a.webm", LATE),
    "webm, picture before sound": ("a.webm", {"sound": 0.7}),
    "webm that begins at 5 s": ("a.webm", {"times": FIVE, "sound": 5.0}),
    "webm with negative stamps": ("a.webm", {"sound": 0.0, "shift": -0.35}),
}
SELDOM = {
    "mp4, picture before sound",
    "mp4 that begins at 5 s, silent",
    "mov, sound before picture",
    "webm",
    "webm, picture before sound",
    "mp4 in pieces, sound before picture",
}
LETTERS = "h" * 10 + "s" * 10
SHOWN = """
async ([source, times]) => {
  const video = document.createElement('video'), canvas = document.createElement('canvas');
  const happens = (name) => new Promise((yes, no) => {
    video.addEventListener(name, yes, {once: true});
    video.addEventListener('error', () => no(new Error(video.error.message)), {once: true});
  });
  const ready = happens('loadeddata');
  video.muted = true; video.preload = 'auto'; video.src = source;
  await ready;
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const seen = [];
  for (const time of times) {
    const there = happens('seeked');
    video.currentTime = time;
    let stamp = null;
    video.requestVideoFrameCallback((_, about) => { stamp = about.mediaTime; });
    await there;
    await new Promise((yes) => setTimeout(yes, 40));
    canvas.getContext('2d').drawImage(video, 0, 0);
    seen.push([canvas.toDataURL('image/png'), stamp]);
  }
  return [video.duration, seen];
}
"""


@pytest.fixture(scope="module")
def player(browser, films, tmp_path_factory):
    """What Chromium shows of a film: its duration, and the number in the picture at each time.

    ``player.named`` gives, of the pictures whose time stamp Chromium told, number and stamp.
    """
    from tronie.video.image import read_image

    blank = tmp_path_factory.mktemp("player") / "blank.html"
    blank.write_text("<title>player</title>")
    page = browser.new_page()
    page.goto(blank.as_uri())

    def seen(path, times):
        # As data: a page from a file may not look into the pictures of another file.
        kind = {".webm": "video/webm", ".mkv": "video/webm"}.get(path.suffix, "video/mp4")
        data = f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
        length, pictures = page.evaluate(SHOWN, [data, list(times)])
        numbers = [films.number_of(read_image(base64.b64decode(url.partition(",")[2]))) for url, _ in pictures]
        return length, numbers, [stamp for _, stamp in pictures]

    def show(path, times):
        length, numbers, _ = seen(path, times)
        return length, numbers

    def named(path, times):
        _, numbers, stamps = seen(path, times)
        return [(number, stamp) for number, stamp in zip(numbers, stamps, strict=True) if stamp is not None]

    show.named = named
    yield show
    page.close()


@pytest.mark.parametrize("kind", [pytest.param(k, marks=[pytest.mark.slow] * (k in SELDOM)) for k in KINDS])
def test_the_picture_at_a_time_is_the_one_that_is_meant(player, films, planted, tmp_path, kind) -> None:
    name, how = KINDS[kind]
    path = films.film(tmp_path / name, LETTERS, **how)
    timeline = tronie.predict(path, model=planted.Model(), detector=films.Detector())
    found = timeline.segments()
    assert [s.label for s in found] == ["happiness", "sadness"] and timeline.warnings == ()
    _, numbers = player(path, [s.start + HAIR for s in found])
    assert numbers[1] == 10
    rows, hidden = [0, 1, 4, 11, len(timeline) - 1], 0
    if "cut" in kind:  # pictures that an edit list hides are not decoded, so they are not counted
        hidden = numbers[0]
        assert hidden > 0
    if "negative" in kind:  # Chromium cannot show what lies before the first keyframe behind 0; the rest it shows
        assert (timeline["time"][0], timeline["frame"][0]) == (0, 3)  # the last picture that begins before 0
        rows = [4, 11, len(timeline) - 1]
    _, numbers = player(path, timeline["time"][rows] + HAIR)
    assert numbers == (timeline["frame"][rows] + hidden).tolist()
    assert found[1].end - found[1].start == pytest.approx(1.0, abs=0.01)


def test_where_chromium_does_not_find_the_picture_it_shows_it_at_our_time(player, films, planted, tmp_path) -> None:
    # With delayed B-frames and no edit list it lands up to a few pictures off, but calls each by the time it has here.
    path = films.film(tmp_path / "a.mp4", LETTERS, sound=0.0, options={"movflags": "frag_keyframe+empty_moov"})
    timeline = tronie.predict(path, model=planted.Model(), detector=films.Detector())
    assert timeline["time"][0] == pytest.approx(0.2, abs=0.01)
    named = player.named(path, timeline["time"] + HAIR)
    assert len(named) > 5
    assert [time for _, time in named] == pytest.approx([timeline["time"][n] for n, _ in named], abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        ("mp4, sound before picture", ".mp4"),
        ("mp4, sound before picture", ".mkv"),
        ("mp4 cut by its edit list", ".mkv"),
        ("mp4 cut by its edit list", ".mp4"),
        ("webm, sound before picture", ".mkv"),
        ("mp4 that begins at 5 s", ".mp4"),
    ],
)
def test_an_annotated_film_has_the_clock_and_the_length_of_the_original(
    player, films, planted, tmp_path, kind, ending
) -> None:
    name, how = KINDS[kind]
    path = films.film(tmp_path / name, LETTERS, **how)
    out = tmp_path / f"out{ending}"
    timeline = annotate(
        path, out, model=planted.Model(), detector=films.Detector(), anonymise=ending == ".mp4"
    ).timeline
    begins = float(timeline["time"][0])
    times = [max(begins - 0.5, 0), begins + HAIR, begins + 0.4 + HAIR, begins + 1.2 + HAIR]
    (before, shown), (after, drawn) = player(path, times), player(out, times)
    assert drawn == shown
    # Of films that begin late Chromium guesses the length from the size of what it has read, until it has read all.
    assert after == pytest.approx(before, abs=0.03) or begins >= 5
    again = tronie.predict(out, model=planted.Model(), detector=films.Detector())
    assert again["time"] == pytest.approx(timeline["time"], abs=0.0011)
    assert again.looked[0].end == pytest.approx(timeline.looked[0].end, abs=0.03)

"""The slips of a first day: each is one line on standard error that says what to type instead, exit code 2."""

from __future__ import annotations

import pytest

from tronie import cli

SLIPS = [
    (["film.mp4"], "write 'tronie predict film.mp4'", "tronie"),
    (["photos"], "write 'tronie predict photos'", "tronie"),  # a folder that is there
    (["predikt", "film.mp4"], 'Did you mean "predict"?', "tronie"),
    (["--verison"], "There is no option --verison.", "tronie"),
    (["predict", "film.mp4", "--ouput", "a.csv"], "Did you mean --out?", "tronie predict"),
    (["predict", "film.mp4", "--out"], "--out needs a value.", "tronie predict"),
    (["segments", "film.csv"], "tronie segments needs --out.", "tronie segments"),
    (["compare", "film.csv"], "tronie compare needs CODER.", "tronie compare"),  # as the help calls it
    (["watch", "0", "1"], "tronie watch has no use for 1", "tronie watch"),
    (["predict", "film.mp4", "--fps", "five"], "--fps", "tronie predict"),
]


@pytest.mark.parametrize(("typed", "said", "help_of"), SLIPS, ids=[" ".join(typed) for typed, _, _ in SLIPS])
def test_a_slip_is_told_what_to_type(typed, said, help_of, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    assert cli.main(typed) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.count("\n") == 1
    assert said in err
    assert err.endswith(f"See '{help_of} --help'.\n")

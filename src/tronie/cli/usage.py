"""What is said of a command line that cannot be understood: what is wrong with it, and what to type instead."""

from __future__ import annotations

from pathlib import Path

from cyclopts import CycloptsError, MissingArgumentError, UnknownCommandError, UnusedCliTokensError


def sentence(error: CycloptsError) -> str:
    """One or two sentences about ``error``, with the help that lists what there is."""
    command = " ".join(["tronie", *(error.command_chain or ())])
    return f"{_wrong(error, command)} See '{command} --help'."


def _wrong(error: CycloptsError, command: str) -> str:
    if isinstance(error, UnknownCommandError) and error.unused_tokens:
        word = error.unused_tokens[0]
        if word.startswith("-"):
            return f"There is no option {word}."
        if Path(word).suffix or Path(word).exists():
            return f"{word} is no command: to read a photo, a film or a folder, write 'tronie predict {word}'."
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        option = error.argument.name
        if error.keyword:  # `--out` stands there, and nothing behind it
            return f"{error.keyword} needs a value."
        return f"{command} needs {option.removeprefix('--').upper() if error.argument.index is not None else option}."
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f"{command} has no use for {' '.join(error.unused_tokens)}: leave it out."
    return " ".join(str(error).split())

"""`rankfold import git`: turns a repository's history into score events, as JSON lines or published at once."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from cli.git_history import REPOSITORY_BYTES_MAX, commits, count_commits, event_of, is_shallow, name_of
from cli.publish import publish_lines
from cli.terminal import meter, plural, say
from schemas.checks import NAME_RULE, good_id, good_name
from schemas.codec import encode
from schemas.errors import InvalidInput, Problem

PROGRESS_EVENTS = 1_000


def import_git_command(
    path: Annotated[Path, typer.Argument(help="A folder of the repository.", exists=True, file_okay=False)],
    game: Annotated[str, typer.Option(help="The game that the events belong to.")] = "contributors",
    repo: Annotated[
        str | None, typer.Option(help="The repository's name in the events; its folder's by default.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the events there instead of to stdout.", dir_okay=False)
    ] = None,
    publish: Annotated[bool, typer.Option("--publish", help="Publish the events to the API instead.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="With --publish: return when readers see all of it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --publish: print the result as JSON.")] = False,
) -> None:
    """Make score events of a repository's history: one commit each, for all that HEAD reaches.

    Authors are those of `git shortlog -sn HEAD`, .mailmap included. Publishing again is safe: an event's id is the
    repository's name and the commit's hash.
    """
    name = _checked(path, game, repo)
    if publish and out is not None:
        raise InvalidInput(Problem("--publish", "either published or written to a file"))
    if (wait or as_json) and not publish:
        raise InvalidInput(Problem("--wait" if wait else "--json", "belongs to --publish"))
    total = count_commits(path)
    if is_shallow(path):
        say("warning: the clone is shallow; commits before its beginning are missing", "yellow")
    lines = (encode(event_of(commit, game, name)) + b"\n" for commit in commits(path))
    if publish:
        publish_lines(lines, str(path), total, wait=wait, as_json=as_json)
        return
    _write(lines, out, total)


def _checked(path: Path, game: str, repo: str | None) -> str:
    """The repository's name."""
    if not good_name(game):
        raise InvalidInput(Problem("--game", NAME_RULE))
    name = name_of(path) if repo is None else repo
    if not good_id(name) or len(name.encode()) > REPOSITORY_BYTES_MAX:
        raise InvalidInput(Problem("--repo", f"1 to {REPOSITORY_BYTES_MAX} bytes without control characters"))
    return name


def _write(lines: Iterator[bytes], out: Path | None, total: int) -> None:
    count = 0
    with meter("reading") as progress, _target(out) as file:
        for count, line in enumerate(lines, 1):
            file.write(line)
            if count % PROGRESS_EVENTS == 0:
                progress(count, total)
    if out is not None:
        say(f"{plural(count, 'event')} written to {out}")


@contextmanager
def _target(out: Path | None) -> Iterator[BinaryIO]:
    """Where the lines go. A file is there under its name only when it is complete."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = out.with_name(out.name + ".partial")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)

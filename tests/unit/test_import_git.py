"""`rankfold import git` agrees with `git shortlog -sn HEAD` on awkward repositories, and says what it cannot read."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from cli.git_history import player_of
from cli.main import app
from schemas.checks import good_id
from schemas.codec import decode

RULES = """
game = "contributors"
[metrics.commits]
[boards.authors]
rank_by = ["commits desc"]
[boards.authors.metrics]
commits = { op = "sum", of = "commits" }
"""


@pytest.fixture(autouse=True)
def only_the_repositorys_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


class Repository:
    """A repository whose commits are written byte by byte."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", *options)
        self.tree = self.git("hash-object", "-t", "tree", "-w", "--stdin").decode().strip()
        self.head: list[str] = []
        self.seconds = 1_700_000_000

    def git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout

    def commit(
        self,
        author: bytes,
        *,
        parents: list[str] | None = None,
        email: bytes = b"x@example.org",
        time: bytes | None = None,
        encoding: bytes = b"",
    ) -> str:
        """A commit on top of HEAD, or of `parents`; HEAD moves to it."""
        self.seconds += 60
        when = str(self.seconds).encode() + b" +0000" if time is None else time
        lines = [b"tree " + self.tree.encode()]
        lines += [b"parent " + parent.encode() for parent in (self.head if parents is None else parents)]
        lines += [b"author " + author + b" <" + email + b"> " + when]
        lines += [b"committer C <c@example.org> " + str(self.seconds).encode() + b" +0000"]
        lines += [b"encoding " + encoding] if encoding else []
        body = b"\n".join([*lines, b"", b"message", b""])
        made = self.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=body).decode().strip()
        self.git("update-ref", "HEAD", made)
        self.head = [made]
        return made


def plain(repository: Repository) -> None:
    for author in (b"Ann", b"Bob", b"Ann", "Zoë Ünïcode 木".encode(), b"ann", b"ANN", b"Ann "):
        repository.commit(author)


def mailmapped(repository: Repository) -> None:
    (repository.folder / ".mailmap").write_text(
        "Ann Proper <ann@example.org> <old@example.org>\n"
        "Bob Proper <bob@example.org> bobby <shared@example.org>\n"
        "<new@example.org> <moved@example.org>\n"
        "Žofie <z@example.org>\n",
        "utf-8",
    )
    for name, email in [
        (b"annie", b"old@example.org"),
        (b"Ann Proper", b"ann@example.org"),
        (b"bobby", b"shared@example.org"),
        (b"cat", b"shared@example.org"),
        (b"dan", b"moved@example.org"),
        (b"x", b"Z@EXAMPLE.org"),
    ]:
        repository.commit(name, email=email)


def merges(repository: Repository) -> None:
    first = repository.commit(b"Ann")
    left = repository.commit(b"Bob", parents=[first])
    right = repository.commit(b"Cat", parents=[first])
    repository.commit(b"Ann", parents=[left, right])
    repository.commit(b"Dan", parents=[])
    repository.commit(b"Eve", parents=[*repository.head, left, right])


def odd_names(repository: Repository) -> None:
    for author in (
        *(b"", b" ", b"~", b"~a", b"\\x01", b"\x01", b"tab\there", b"\x7f", b"\xff\xfe", b"caf\xe9", b"=1+1", b"'"),
        *(
            b"x" * 128,
            b"x" * 129,
            b"x" * 130,
            "木".encode() * 43,
            b"\xff" * 60,
            b"\xff" * 61 + b"a",
            b"\xff" * 61 + b"b",
        ),
        *("a\u2028b".encode(), "\u202eevil".encode(), "e\u0301".encode(), "é".encode(), b"commits", b"\xed\xa0\x80"),
        *(b"-n", b"$(id)", b"--all", b"a'b\"c;d", b"%aN", b"..", b"."),
    ):
        repository.commit(author)


def encodings(repository: Repository) -> None:
    repository.commit(b"Jos\xe9", encoding=b"ISO-8859-1")
    repository.commit("José".encode())
    repository.commit(b"Jos\xe9")
    repository.commit("名".encode("shift_jis"), encoding=b"Shift_JIS")
    repository.commit(b"Bad\xe9", encoding=b"no-such-encoding")


def bad_times(repository: Repository) -> None:
    for time in (
        b"",
        b"0 +0000",
        b"99999999999999999999 +0000",
        b"253402300800 +0000",
        b"-5 +0000",
        b"4102444800 +1400",
    ):
        repository.commit(b"Ann", time=time)


def grafted(repository: Repository) -> None:
    plain(repository)
    cut = repository.head[0]
    repository.commit(b"Late")
    (repository.folder / ".git" / "shallow").write_text(cut + "\n")


def replaced(repository: Repository) -> None:
    before = repository.commit(b"Ann")
    other = repository.commit(b"Replacement")
    repository.git("update-ref", "HEAD", before)
    repository.head = [before]
    repository.commit(b"Bob")
    repository.git("replace", before, other)


def many(repository: Repository) -> None:
    """More than a pipe holds, written by fast-import."""
    stream = b"".join(
        b"commit refs/heads/main\ncommitter N%d <n@example.org> %d +0000\ndata 0\n\n"
        % (number % 7, 1_600_000_000 + number)
        for number in range(3_000)
    )
    repository.git("fast-import", "--quiet", stdin=stream)
    repository.git("symbolic-ref", "HEAD", "refs/heads/main")


BUILDERS = [plain, mailmapped, merges, odd_names, encodings, bad_times, grafted, replaced, many]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["import", "git", *arguments])


def shortlog(folder: Path) -> dict[bytes, int]:
    listing = subprocess.run(
        ["git", "-C", str(folder), "shortlog", "-sn", "HEAD"], capture_output=True, check=True
    ).stdout
    lines = [line.split(b"\t", 1) for line in listing.split(b"\n") if line]
    return {name: int(count) for count, name in lines}


def board(folder: Path, events: Path) -> dict[str, int]:
    rules = folder / "rules.toml"
    rules.write_text(RULES)
    result = CliRunner().invoke(app, ["fold", str(rules), str(events), "--format", "json"])
    assert result.exit_code == 0, result.stderr
    return {entry["player"]: entry["metrics"]["commits"] for entry in json.loads(result.stdout)["entries"]}


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_the_board_agrees_with_shortlog(build: Callable[[Repository], None], tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repo")
    build(repository)
    events = tmp_path / "events.jsonl"
    result = run(str(repository.folder), "--out", str(events))
    assert result.exit_code == 0, result.stderr
    expected = shortlog(repository.folder)
    assert expected
    assert board(tmp_path, events) == {player_of(name): count for name, count in expected.items()}
    assert len({player_of(name) for name in expected}) == len(expected)


@pytest.mark.parametrize("options", [("--bare",), ("--object-format=sha256",)], ids=["bare", "sha256"])
def test_other_forms_of_repositories(options: tuple[str, ...], tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repo.git", *options)
    plain(repository)
    result = run(str(repository.folder))
    assert len(result.stdout.splitlines()) == 7
    assert json.loads(result.stdout.splitlines()[0])["attributes"]["repo"] == "repo"


def test_a_folder_within_stands_for_the_whole_repository(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "tools")
    plain(repository)
    (repository.folder / "src").mkdir()
    assert run(str(repository.folder / "src")).stdout == run(str(repository.folder)).stdout
    assert json.loads(run(str(repository.folder / "src")).stdout.splitlines()[0])["attributes"]["repo"] == "tools"


def test_this_project_itself(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    events = tmp_path / "events.jsonl"
    assert run(str(root), "--out", str(events)).exit_code == 0
    assert board(tmp_path, events) == {player_of(name): count for name, count in shortlog(root).items()}


def test_an_event_says_when_who_and_where(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repo")
    digest = repository.commit(b"Ann", time=b"1700000000 +0200")
    result = run(str(repository.folder), "--repo", "acme/tools", "--game", "g")
    assert json.loads(result.stdout) == {
        "id": f"acme/tools@{digest}",
        "type": "score",
        "game": "g",
        "occurred_at": "2023-11-14T22:13:20Z",
        "player": "Ann",
        "values": {"commits": 1},
        "attributes": {"repo": "acme/tools", "kind": "commit"},
    }


def test_times_that_are_none_give_way_to_the_committers(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repo")
    bad_times(repository)
    times = [decode(line.encode()).occurred_at for line in run(str(repository.folder)).stdout.splitlines()]
    assert None not in times
    assert [moment.year for moment in times] == [2023, 1970, 2023, 2023, 2023, 2100]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "player"),
    [
        (b"Ann", "Ann"),
        (b"DOMAIN\\ann", "DOMAIN\\ann"),
        (b"", "~"),
        (b"~", "~~"),
        (b"tab\there", "~tab\\x09here"),
        (b"back\\slash\n", "~back\\\\slash\\x0a"),
        (b"caf\xe9", "~caf\\xe9"),
        ("nel\u0085".encode(), "~nel\\xc2\\x85"),
        (b"x" * 128, "x" * 128),
    ],
)
def test_names_that_cannot_be_ids_are_written_out(name: bytes, player: str) -> None:
    assert player_of(name) == player


NAMES = st.one_of(st.binary(max_size=200), st.text("~\\x0#9\tn\u2028é", max_size=12).map(str.encode))


@given(NAMES, NAMES)
def test_every_name_gives_an_id_of_its_own(one: bytes, other: bytes) -> None:
    assert good_id(player_of(one))
    assert (player_of(one) == player_of(other)) == (one == other)


def test_what_is_no_repository_or_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert run(str(tmp_path / "plain")).exit_code == 2
    assert "not a git repository" in run(str(tmp_path / "plain")).stderr
    assert run(str(Repository(tmp_path / "empty").folder)).exit_code == 2


def test_a_name_for_the_repository_must_fit_into_ids(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repo")
    plain(repository)
    for name in ("", "x" * 64, "a\tb"):
        assert "--repo" in run(str(repository.folder), "--repo", name).stderr
    assert run(str(repository.folder), "--repo", "x" * 63).exit_code == 0
    assert "--game" in run(str(repository.folder), "--game", "No").stderr


def test_nothing_is_left_behind_when_the_history_is_broken(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repo")
    plain(repository)
    good = run(str(repository.folder))
    assert good.exit_code == 0
    first = json.loads(good.stdout.splitlines()[0])["id"].partition("@")[2]
    (repository.folder / ".git" / "objects" / first[:2] / first[2:]).unlink()
    out = tmp_path / "events.jsonl"
    result = run(str(repository.folder), "--out", str(out))
    assert result.exit_code == 2
    assert first in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["repo"]

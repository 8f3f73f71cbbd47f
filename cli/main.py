"""The console script `rankfold`: puts the commands together. Also `python -m cli.main`."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

import typer

from cli import archive, dead_letters, generations, keys, rulesets
from cli.demo import demo_command
from cli.doctor import doctor_command
from cli.erase import erase_command
from cli.explain import explain_command
from cli.failures import explaining
from cli.fold import fold_command
from cli.import_git import import_git_command
from cli.player import player_command
from cli.preview import preview_command, preview_rules_command
from cli.publish import publish_command
from cli.reads import board_command, games_command, history_command, rank_command
from cli.rejections import rejections_command
from cli.replay import replay_command
from cli.reshard import reshard_command
from cli.schema import schema_command
from cli.segments import segments_command
from cli.services import consume_command, migrate_command, serve_command
from cli.stats import stats_command
from cli.terminal import out
from cli.up import up_command

HELP = """Rankfold: an event-sourced scoring engine.

Facts go into Redis Streams, consumers fold them into rankings, and an HTTP API shows them.

Exit status: 0 done, 1 a check found differences, 2 bad input, 3 a service is away.
"""

COMMANDS: dict[str, Callable[..., Any]] = {
    "up": up_command,
    "demo": demo_command,
    "publish": publish_command,
    "preview": preview_command,
    "games": games_command,
    "board": board_command,
    "rank": rank_command,
    "history": history_command,
    "explain": explain_command,
    "player": player_command,
    "stats": stats_command,
    "rejections": rejections_command,
    "segments": segments_command,
    "fold": fold_command,
    "replay": replay_command,
    "erase": erase_command,
    "reshard": reshard_command,
    "doctor": doctor_command,
    "migrate": migrate_command,
    "consume": consume_command,
    "serve": serve_command,
    "schema": schema_command,
}

GROUPS: dict[str, tuple[str, dict[str, Callable[..., Any]]]] = {
    "archive": (
        "Move old months of the archive to files, list and verify these, bring months back.",
        {
            "export": archive.export_command,
            "list": archive.list_command,
            "verify": archive.verify_command,
            "restore": archive.restore_command,
        },
    ),
    "rulesets": (
        "Check a ruleset, try it out, apply it to its game, list a game's versions.",
        {
            "validate": rulesets.validate_command,
            "preview": preview_rules_command,
            "apply": rulesets.apply_command,
            "list": rulesets.list_command,
        },
    ),
    "generations": (
        "List the builds of a game's boards, make another one live, take that back, drop one.",
        {
            "list": generations.list_command,
            "swap": generations.swap_command,
            "swap-back": generations.swap_back_command,
            "drop": generations.drop_command,
        },
    ),
    "import": ("Make events of what other programs keep.", {"git": import_git_command}),
    "keys": (
        "Make, list and revoke API keys.",
        {"create": keys.create_command, "list": keys.list_command, "revoke": keys.revoke_command},
    ),
    "dead-letters": (
        "See what could not be folded, and try it again.",
        {"list": dead_letters.list_command, "retry": dead_letters.retry_command},
    ),
}

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        out().print(f"rankfold {version('rankfold')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version.")] = False,
) -> None:
    """What holds for all commands."""


for name, command in COMMANDS.items():
    app.command(name)(explaining(command))
for name, (about, members) in GROUPS.items():
    group = typer.Typer(help=about, no_args_is_help=True)
    for member, command in members.items():
        group.command(member)(explaining(command))
    app.add_typer(group, name=name)


def main() -> None:
    """Runs the command line and exits."""
    app(prog_name="rankfold")


if __name__ == "__main__":
    main()

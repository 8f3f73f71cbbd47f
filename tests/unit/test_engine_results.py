"""Results, told aloud: points by place, shares, awards, teams, revisions; then adjustments and players' standing."""

import pytest

from engine.rules import Game
from schemas.checks import ID_RULE
from schemas.errors import Problem
from schemas.ruleset import parse
from tests.given import Fields, adjustment, decoded, fixture, given, line, player, result, rules, score


def race(source: str = "points = [10, 6, 4, 3]", *, scale: int = 0, board: str = "", more: str = "") -> str:
    """Rules of a championship whose races give points."""
    declared = (
        f'[metrics.points]\nscale = {scale}\nrounding = "half_up"\n[metrics.laps]\n[metrics.awarded]\nscale = 2\n'
    )
    return rules(board, declared=f'{declared}{more}\n[sources.race]\norigin = "placements"\n{source}')


def test_points_by_position() -> None:
    given(race()).events(
        result("r1", "a", "b", "c", "d", "e", line("dnf", status="DNF")), result("r2", line("c", 2), line("a", 2))
    ).then.board().is_([(1, "a", 16), (2, "c", 10), (3, "b", 6), (4, "d", 3), (5, "dnf", 0), (5, "e", 0)])


@pytest.mark.parametrize("status", ["void", "push", "abandoned"])
def test_only_a_final_result_counts(status: str) -> None:
    given(race()).events(result("r1", "a"), result("r2", "b", status=status)).then.board().is_([(1, "a", 10)])


@pytest.mark.parametrize(("shared", "each"), [("each", "6.00"), ("split", "2.00"), ("none", "0.00")])
def test_what_a_shared_seat_is_worth(shared: str, each: str) -> None:
    lines = [line("a", 1), *(line(name, 2, seat="car-2") for name in ("b", "c", "d"))]
    given(race(f'points = [10, 6]\nshared = "{shared}"', scale=2)).events(result("r1", *lines)).then.board().is_(
        [(1, "a", "10.00"), *((2, name, each) for name in ("b", "c", "d"))]
    )


def test_a_bonus_is_given_to_each_or_split_among_those_of_one_result() -> None:
    lines = [line("a", 1, fastest=True), line("b", 2, fastest=True), line("c", 3, fastest=True)]
    bonus = "points = [10, 6]\nbonuses = [{ points = 1, where = { fastest = true }%s }]"
    for split, points in (("", ("11.00", "7.00", "1.00")), (", split = true", ("10.33", "6.33", "0.33"))):
        given(race(bonus % split, scale=2)).events(result("r1", *lines)).then.board().is_(
            [(at, name, worth) for at, (name, worth) in enumerate(zip("abc", points, strict=True), 1)]
        )


def test_factors_multiply_the_points_by_position_only() -> None:
    source = "points = [10, 5]\nbonuses = [{ points = 1 }]\nfactors = [{ times = 0.5, where = { half = true } }, { times = 3 }]"
    given(race(source, scale=1)).events(
        result("r1", "a", "b", attributes={"half": True}), result("r2", "b")
    ).then.board().is_([(1, "b", "39.5"), (2, "a", "16.0")])


def test_points_per_value() -> None:
    text = race("points = [10]\nper = { laps = 0.5 }", scale=1)
    given(text).events(
        result("r1", line("a", 1, values={"laps": 3}), line("b", 2, values={"laps": 50}))
    ).then.board().is_([(1, "b", "25.0"), (2, "a", "11.5")])


def test_an_award_by_officials_replaces_everything_else() -> None:
    source = 'points = [10, 6]\nbonuses = [{ points = 1 }]\naward = "awarded"\nshared = "split"'
    given(race(source, scale=2)).events(
        result(
            "r1",
            line("a", 1, values={"awarded": "2.25"}),
            line("b", 2, seat="x", values={"awarded": 0}),
            line("c", 2, seat="x"),
        )
    ).then.board().is_([(1, "c", "4.00"), (2, "a", "2.25"), (3, "b", "0.00")])


def test_an_attribute_may_be_ranked_instead_of_the_player() -> None:
    text = race('points = [10, 6, 4]\nentrant = "team"')
    given(text).events(
        result("r1", line("a", 1, team="red"), line("b", 2, team="blue"), line("c", 3, team="blue"), line("d", 1))
    ).then.board().is_([(1, "blue", 10), (1, "red", 10)])


@pytest.mark.parametrize("bad", ["", "a\x01", "x" * 129])
def test_what_is_ranked_like_a_player_is_an_id(bad: str) -> None:
    def problems(origin: str, fields: Fields) -> list[Problem]:
        text = rules(declared=f'[metrics.points]\n[sources.s]\norigin = "{origin}"\nentrant = "team"')
        return Game(parse(text)).check(decoded("g", [fields])[0])

    assert problems("score", score("a", points=1, attributes={"team": "red", "other": bad})) == []
    assert problems("score", score("a", points=1, attributes={"team": bad})) == [Problem("attributes.team", ID_RULE)]
    assert problems("placements", result("r", "a", attributes={"team": bad})) == [Problem("attributes.team", ID_RULE)]
    assert problems("placements", result("r", "a", line("b", 2, team=bad))) == [
        Problem("placements[1].attributes.team", ID_RULE)
    ]


def test_sources_choose_the_results_and_lines_that_they_look_at() -> None:
    more = '[sources.sprint]\norigin = "placements"\nwhere = { kind = "sprint" }\npoints = [3]'
    text = race('where = { kind = "race", position = { max = 2 } }\npoints = [10, 6, 4]', more=more)
    given(text).events(
        result("r1", "a", "b", "c", attributes={"kind": "race"}), result("s1", "c", "a", attributes={"kind": "sprint"})
    ).then.board().is_([(1, "a", 10), (2, "b", 6), (3, "c", 3)])


def test_a_higher_revision_replaces_exactly() -> None:
    text = race(board='periods = ["all", "round"]')
    corrected = result("r2", "b", "a", revision=3, round=2)
    first = [result("r1", "a", "b", round=1), result("r2", "a", "c", round=2), result("r3", "c", round=3)]
    after = given(text).events(*first, corrected).then
    never_wrong = given(text).events(first[0], corrected, first[2]).then
    for period in ("all", "round:1", "round:2", "round:3"):
        assert after.board("b", period).lines == never_wrong.board("b", period).lines
    after.board().is_([(1, "a", 16), (1, "b", 16), (3, "c", 10)])
    assert after.board("b", "round:2").lines == [(1, "b", 10), (2, "a", 6)]
    assert after.rejections == []


def test_a_correction_may_move_a_result_to_another_round_or_take_it_back() -> None:
    text = race(board='periods = ["all", "round"]')
    moved = given(text).events(result("r1", "a", round=1), result("r1", "a", round=2, revision=2)).then
    assert moved.periods() == ["all", "round:2"]
    moved.board().is_([(1, "a", 10)])
    void = given(text).events(result("r1", "a", round=1), result("r1", revision=2, status="void")).then
    assert void.periods() == []


def test_a_lower_revision_is_ignored_and_the_same_again_changes_nothing() -> None:
    right = result("r1", "b", "a", revision=2)
    then = given(race()).events(right, result("r1", "a", "b"), right).then
    then.board().is_([(1, "b", 10), (2, "a", 6)])
    assert then.rejections == []


def test_the_same_revision_with_another_content_is_rejected() -> None:
    then = given(race()).events(result("r1", "b", "a"), result("r1", "a", "b"), result("r2", "a")).then
    then.board().is_([(1, "a", 16), (2, "b", 10)])
    assert then.rejections == [("revision", "revision 1 of fixture r1 was recorded with another content")]


def test_a_team_with_two_lines_loses_and_gains_both_by_a_revision() -> None:
    text = race('points = [10, 6, 4]\nentrant = "team"')
    red, blue = {"team": "red"}, {"team": "blue"}
    given(text).events(
        result("r1", line("a", 1, **red), line("b", 2, **red), line("c", 3, **blue)),
        result("r1", line("c", 1, **blue), line("a", 2, **red), line("b", 3, **red), revision=2),
    ).then.board().is_([(1, "blue", 10), (1, "red", 10)])


def test_a_result_takes_its_round_and_time_from_its_fixture() -> None:
    text = race(board='periods = ["round", "daily"]')
    then = (
        given(text)
        .events(fixture("r1", 4, "2026-02-08T23:30:00Z"), result("r1", "a"), result("r2", "a", round=5, occurred_at=0))
        .then
    )
    assert then.periods() == ["daily:1970-01-01", "daily:2026-02-08", "round:4", "round:5"]


def test_adjustments_add_and_take_off() -> None:
    text = rules(metrics='points = { op = "sum", of = "points" }\nruns = { op = "count" }')
    given(text).events(
        score("a", points=5), score("b", points=4), adjustment("a", points=-3), adjustment("new", points=2)
    ).then.board().is_([(1, "b", 4, 1), (2, "a", 2, 1), (2, "new", 2, 0)])


def test_an_adjustment_adds_to_the_best_run_and_does_not_compete_with_it() -> None:
    text = rules('keep = { mode = "best", by = "points" }', metrics='points = { op = "max", of = "points" }')
    given(text).events(
        adjustment("a", points=100), score("a", points=5), score("a", points=7), adjustment("a", points=-99)
    ).then.board().is_([(1, "a", 8)])


def test_an_adjustment_may_concern_one_board_only() -> None:
    other = '[boards.c]\nrank_by = ["points"]\nmetrics = { points = { op = "sum", of = "points" } }'
    then = given(rules(declared=f"[metrics.points]\n{other}")).events(
        score("a", points=5), adjustment("a", board="c", points=1), adjustment("a", points=10)
    ).then  # fmt: skip
    then.board("b").is_([(1, "a", 15)])
    then.board("c").is_([(1, "a", 16)])


@pytest.mark.parametrize("status", ["banned", "hidden"])
def test_who_is_banned_leaves_and_the_others_close_up(status: str) -> None:
    scores = [score("a", points=5), score("b", points=4), score("c", points=3)]
    given(rules()).events(*scores, player("a", status)).then.board().ranks((1, "b"), (2, "c"))
    given(rules()).events(player("a", status), *scores).then.board().ranks((1, "b"), (2, "c"))


def test_who_is_active_again_has_everything_that_he_scored_meanwhile() -> None:
    text = rules('periods = ["all", "round"]')
    then = given(text).events(
        score("a", points=5, round=1),
        player("a", "banned"),
        score("a", points=2, round=2),
        score("b", points=6, round=2),
        player("a", "active"),
    ).then  # fmt: skip
    then.board().is_([(1, "a", 7), (2, "b", 6)])
    assert then.periods() == ["all", "round:1", "round:2"]

"""docs/rulesets.md says what the structs say: every table, every key, every default; and every example can be read."""

import re
import tomllib
from typing import Any, get_args

import msgspec
import pytest

from schemas import language as lang
from tests.rulesetdoc.__main__ import DOCUMENT, main
from tests.rulesetdoc.keys import OPERATIONS, TABLES
from tests.rulesetdoc.render import kind, named, table

REQUIRED: dict[type, dict[str, Any]] = {
    lang.Ruleset: {"game": "g", "boards": {}},
    lang.Season: {"id": "a", "first": "2026-01-01", "last": "2026-12-31"},
    lang.Bonus: {"points": 1},
    lang.Factor: {"times": 1},
    lang.Board: {"rank_by": ["points"]},
    lang.Span: {"first": 1},
    lang.Metric: {"op": "sum"},
    lang.Cap: {"most": 1},
    lang.Tier: {"name": "a"},
    lang.Badge: {"where": {}},
}
EXAMPLES = [(struct, key, example) for struct, keys in TABLES.items() for key, (_, example) in keys.items()]


def structs_of_the_language() -> set[type]:
    """Every struct that a ruleset can hold, found by following the types."""
    found: set[type] = set()
    ahead: list[Any] = [lang.Ruleset]
    while ahead:
        type_ = ahead.pop()
        if isinstance(type_, type) and issubclass(type_, msgspec.Struct) and type_ not in found:
            found.add(type_)
            ahead += [field.type for field in msgspec.structs.fields(type_)]
        ahead += get_args(type_)
    return found


def test_the_document_is_up_to_date() -> None:
    assert main(write=False) == 0


def test_every_table_and_every_key_is_there() -> None:
    assert set(TABLES) == structs_of_the_language()
    documented = [name for name in named(DOCUMENT.read_text()) if name != "operations"]
    assert sorted(documented) == sorted(struct.__name__ for struct in TABLES)
    for struct, keys in TABLES.items():
        assert set(keys) == set(struct.__struct_fields__), struct.__name__
    assert set(OPERATIONS) == set(get_args(lang.Op))


@pytest.mark.parametrize(("struct", "key", "example"), EXAMPLES, ids=[f"{s.__name__}.{k}" for s, k, _ in EXAMPLES])
def test_the_example_of_a_key_is_of_its_type(struct: type[msgspec.Struct], key: str, example: str) -> None:
    config = struct.__struct_config__
    given = {**REQUIRED.get(struct, {}), **tomllib.loads(example, parse_float=str)}
    if config.tag is not None:
        given["origin"] = config.tag
    read = msgspec.convert(given, struct)
    default = next(field for field in msgspec.structs.fields(struct) if field.name == key)
    assert tomllib.loads(example).keys() == {key}
    assert default.required or getattr(read, key) is not None


def test_types_and_defaults_are_read_from_the_structs() -> None:
    rows = {row.split("|")[1].strip(): row.split("|")[2:4] for row in table("Keep").splitlines()[2:]}
    assert [cell.strip() for cell in rows["`mode`"]] == ["`all`, `best`, `latest`, `first`", '`"all"`']
    assert [cell.strip() for cell in rows["`n`"]] == ["whole number", "`1`"]
    assert [cell.strip() for cell in rows["`spans`"]] == ["list of [Span](#span)", "none"]
    assert kind(lang.Number | None) == "number"


def test_a_changed_table_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    changed = tmp_path / "rulesets.md"
    changed.write_text(re.sub(r"whole number", "half a number", DOCUMENT.read_text(), count=1))
    monkeypatch.setattr("tests.rulesetdoc.__main__.DOCUMENT", changed)
    assert main(write=False) == 1
    assert main(write=True) == 0
    assert changed.read_text() == DOCUMENT.read_text()

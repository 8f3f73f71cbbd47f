"""What a log is found to be, judged without any server."""

import pytest

from consumers.logstate import LogState, adopted, trouble

AT = (500, 3)
FINE = LogState(epoch=2, floor=(300, 0), holes=(0, 0), first=(310, 0), at=True, generated=(900, 0))


def changed(**fields: object) -> LogState:
    return FINE._replace(**fields)


@pytest.mark.parametrize(
    "found",
    [
        FINE,
        changed(generated=AT),
        # Trimmed since, and what was not archived yet is whole.
        changed(floor=(700, 0)),
        # Erased, and never trimmed.
        changed(at=False, holes=AT),
        # Told to go on without what is lost.
        changed(at=False, floor=AT, first=(800, 0)),
        changed(at=False, floor=AT, first=None, generated=(0, 0)),
        # New to this version, or emptied and told to go on.
        changed(floor=None),
        changed(floor=None, first=None, at=False, generated=(0, 0)),
    ],
)
def test_a_log_that_belongs_to_its_archive(found: LogState) -> None:
    assert trouble(0, 2, AT, found) is None


@pytest.mark.parametrize(
    ("found", "reason", "advice"),
    [
        (changed(epoch=None), "lost its epoch key", "MSET rankfold:log:{0}:epoch 2 rankfold:log:{0}:floor 500-3"),
        (changed(epoch=1), "broken off", "rankfold reshard"),
        (changed(epoch=3), "older than the last change", "Restore a later backup of PostgreSQL"),
        (changed(generated=(500, 2), at=False), "rewound", "XSETID rankfold:log:{0} 500-3"),
        (changed(first=None, generated=(0, 0), at=False), "was deleted", "SET rankfold:log:{0}:floor 500-3"),
        (changed(at=False), "not trimmed by Rankfold", "SET rankfold:log:{0}:floor 500-3"),
        (changed(at=False, first=(800, 0)), "before 800-0 may be missing", "SET rankfold:log:{0}:floor 500-3"),
        (changed(at=False, floor=(700, 0), first=(710, 0)), "behind 500-3 and before 710-0", "a later backup"),
        (changed(holes=(600, 0)), "up to 600-0 were rewritten by an erasure", "DEL rankfold:log:{0}:holes"),
    ],
)
def test_a_log_that_does_not(found: LogState, reason: str, advice: str) -> None:
    broken = trouble(0, 2, AT, found)
    assert broken is not None
    assert reason in broken.reason
    assert advice in broken.advice


def test_a_log_that_was_never_folded_is_in_no_trouble() -> None:
    assert trouble(0, 1, (0, 0), LogState(1, None, (0, 0), None, at=False, generated=(0, 0))) is None
    assert trouble(0, 1, (0, 0), LogState(1, (0, 0), (0, 0), (5, 0), at=False, generated=(5, 0))) is None


def test_the_floor_of_a_log_that_has_none() -> None:
    assert adopted(AT, FINE) == (310, 0)
    assert adopted(AT, changed(at=False)) == AT

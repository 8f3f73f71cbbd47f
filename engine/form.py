"""Form: the last verdicts of a player, kept as one number so that it fits wherever metrics do."""

from collections.abc import Callable

from engine.marks import Mark, Predicate, always

LETTERS = {"win": "W", "draw": "D", "loss": "L", "push": "P", "void": "V"}
_DIGITS = "-" + "".join(LETTERS.values())
DIGITS = len(_DIGITS)


def compile_form(n: int, where: Predicate | None) -> Callable[[list[Mark]], int]:
    """The operation: from marks in contest order to the code of their last `n` verdicts. 0 stands for none."""
    counts = where or always

    def form(marks: list[Mark]) -> int:
        verdicts = [(mark.attributes or {}).get("verdict") for mark in marks if not mark.adjusts and counts(mark)]
        code = 0
        for letter in [LETTERS[verdict] for verdict in verdicts if verdict in LETTERS][-n:]:
            code = code * len(_DIGITS) + _DIGITS.index(letter)
        return code

    return form


def digit_of(mark: Mark) -> int | None:
    """The digit of a mark's verdict in the code of a form; None without one."""
    letter = LETTERS.get((mark.attributes or {}).get("verdict", ""))
    return None if letter is None else _DIGITS.index(letter)


def letters(code: int) -> str:
    """The letters of a form, the latest last."""
    text = ""
    while code:
        code, digit = divmod(code, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text

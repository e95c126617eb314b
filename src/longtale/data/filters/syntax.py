"""The syntax of filters, from text to a small tree; `filter.py` documents the grammar.

A tokenizer and recursive descent: nothing that a user writes is ever run as code, and the limits on
length, depth and number of conditions keep the work small for any text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn

from longtale.data.filters.tokens import QUOTES, Token, pointed_error, tokens_of, value_of

MAX_DEPTH = 32
MAX_CONDITIONS = 64


class Operator(StrEnum):
    """What a condition asks of a column."""

    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    IN = "in"
    NOT_IN = "not in"
    HAS = "has"
    CONTAINS = "contains"
    MISSING = "is missing"
    PRESENT = "is not missing"


@dataclass(frozen=True)
class Literal:
    """A value, and where it stands in the text."""

    value: str | int | float | bool
    position: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Condition:
    """A column, an operator and its values: none, one, or several after `in`."""

    column: str
    operator: Operator
    values: tuple[Literal, ...] = ()
    position: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Not:
    """True where `part` is false."""

    part: Node


@dataclass(frozen=True)
class And:
    """True where all parts are."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    """True where any part is."""

    parts: tuple[Node, ...]


Node = Condition | Not | And | Or


_COMPARISONS = {"==": Operator.EQUAL} | {
    str(operator): operator for operator in Operator if " " not in operator and operator != "in"
}


def parse(text: str) -> Node:
    """Read a whole filter.

    Raises:
        FilterError: The text is no filter, or is longer or deeper than the limits allow.
    """
    return _Parser(text).whole()


class _Parser:
    """Recursive descent, one method per rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._next = 0
        self._depth = 0
        self._n_conditions = 0

    def whole(self) -> Node:
        node = self._either()
        if self._token.kind != "end":
            self._expected("'and', 'or' or the end")
        return node

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._token
        self._next += 1
        return token

    def _took(self, sign: str) -> bool:
        is_next = self._token.sign == sign
        self._next += is_next
        return is_next

    def _fail(self, token: Token, message: str) -> NoReturn:
        raise pointed_error(self._text, token.position, message)

    def _expected(self, what: str, hint: str = "") -> NoReturn:
        found = f"'{self._token.shown[:40].strip(QUOTES)}'" if self._token.shown else "the end"
        self._fail(self._token, f"expected {what}, found {found}{hint}")

    def _either(self) -> Node:
        parts = [self._both()]
        while self._took("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self) -> Node:
        parts = [self._negated()]
        while self._took("and"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _negated(self) -> Node:
        if self._token.sign not in ("not", "("):
            return self._condition()
        opening = self._take()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(
                opening, f"'not' and parentheses nest at most {MAX_DEPTH} deep: simplify this"
            )
        if opening.sign == "not":
            node: Node = Not(self._negated())
        else:
            node = self._either()
            if not self._took(")"):
                self._expected("'and', 'or' or ')'")
        self._depth -= 1
        return node

    def _condition(self) -> Condition:
        column = self._token
        name = self._column()
        self._n_conditions += 1
        if self._n_conditions > MAX_CONDITIONS:
            self._fail(
                column, f"at most {MAX_CONDITIONS} conditions are allowed; `in (...)` is one"
            )
        operator = self._operator()
        values: tuple[Literal, ...] = ()
        if operator in (Operator.IN, Operator.NOT_IN):
            values = self._values()
        elif operator not in (Operator.MISSING, Operator.PRESENT):
            values = (self._value(),)
        return Condition(name, operator, values, column.position)

    def _column(self) -> str:
        token = self._token
        if token.kind == "name":
            return self._take().shown[1:-1].replace("``", "`")
        if token.kind == "word" and not token.sign:
            return self._take().shown
        hint = (
            "; column names stand bare or in `backticks`" if token.kind in ("text", "word") else ""
        )
        self._expected("a column name, 'not' or '('", hint)

    def _operator(self) -> Operator:
        if self._token.sign in _COMPARISONS:
            return _COMPARISONS[self._take().sign]
        if self._took("in"):
            return Operator.IN
        if self._took("not"):
            if self._took("in"):
                return Operator.NOT_IN
            self._expected("'in' after 'not'", "; to turn any other condition, put 'not' before it")
        if self._took("is"):
            operator = Operator.PRESENT if self._took("not") else Operator.MISSING
            if self._took("missing"):
                return operator
            self._expected("'missing' after 'is'", "; to compare with a value use '='")
        self._expected(
            "one of = != < <= > >= in, not in, has, contains, is missing, is not missing"
        )

    def _values(self) -> tuple[Literal, ...]:
        if not self._took("("):
            self._expected("'(' and a list of values")
        values = [self._value()]
        while self._took(","):
            values.append(self._value())
        if not self._took(")"):
            self._expected("',' or ')'")
        return tuple(values)

    def _value(self) -> Literal:
        token = self._token
        value = value_of(token, self._text)
        if value is None:
            is_name = token.kind in ("word", "name") and not token.sign
            hint = "; put text into quotes" if is_name else ""
            self._expected("a number, a text in quotes, true or false", hint)
        self._next += 1
        return Literal(value, token.position)

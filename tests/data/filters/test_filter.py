from __future__ import annotations

import contextlib
import datetime as dt
import math
import operator
import re

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longtale.data.filters.filter import parse_filter
from longtale.data.filters.syntax import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    And,
    Condition,
    Literal,
    Node,
    Not,
    Operator,
    Or,
    parse,
)
from longtale.data.filters.tokens import MAX_CHARACTERS
from longtale.errors import FilterError
from longtale.schema import LIST_SEPARATORS

Cell = object
Row = dict[str, Cell]

FILMS = pl.DataFrame(
    {
        "title": ["Heat", "Platoon", "It's Late", "Alien 3"],
        "year": [1995, 1986, None, 1992],
        "score": [4.5, math.nan, None, 2.5],
        "genres": ["Crime|Drama", "War | drama", "Comedy, Drama-ish", None],
        "tags": [["Heist", "Los Angeles"], ["vietnam"], [], None],
        "codes": [[1, 2], [2], [None], []],
        "hidden": [False, True, None, False],
        "seen on": [dt.date(2024, 1, 31), dt.date(2024, 2, 1), None, dt.date(1995, 5, 5)],
    }
).with_columns(
    added=pl.Series([dt.datetime(2024, 1, 31, 23, 30, tzinfo=dt.UTC)] * 4),
    kind=pl.Series(["film", "film", None, "short"], dtype=pl.Categorical),
    empty=pl.Series([None] * 4, dtype=pl.Null),
)


def met(text: str, frame: pl.DataFrame = FILMS) -> list[int]:
    mask = parse_filter(text).mask(frame)
    assert mask.dtype == np.bool_ and mask.shape == (frame.height,)
    return np.flatnonzero(mask).tolist()


@pytest.mark.parametrize(
    "text, rows",
    [
        ("year >= 1990 and genres has 'Drama'", [0]),
        ("year = 1995", [0]),
        ("year == 1995.0", [0]),
        ("year != 1995", [1, 3]),
        ("year < 1990.5", [1]),
        ("year > -1e3 and not year in (1995, 1986)", [3]),
        ("year not in (1995, 1986.0)", [3]),
        ("score >= 2.5", [0, 3]),
        ("title = 'Heat' or title < 'B'", [0, 3]),
        ("title = 'heat'", []),
        (r"title = 'It\'s Late'", [2]),
        ('title = "It\'s Late"', [2]),
        ("title contains 'LAT'", [1, 2]),
        ("title contains '.'", []),
        ("genres has 'drama'", [0, 1]),
        ("genres has ' WAR '", [1]),
        ("genres has 'comedy'", [2]),
        ("genres has 'crime|drama'", []),
        ("tags has 'los angeles'", [0]),
        ("codes has 2", [0, 1]),
        ("hidden = false", [0, 3]),
        ("hidden in (TRUE, false)", [0, 1, 3]),
        ("`seen on` <= '2024-01-31'", [0, 3]),
        ("added <= '2024-01-31' and added = '2024-01-31'", [0, 1, 2, 3]),
        ("kind in ('short', 'series')", [3]),
        ("kind has 'FILM'", [0, 1]),
        ("empty = 3 or empty has 'x' or empty is not missing", []),
        ("empty is missing", [0, 1, 2, 3]),
    ],
)
def test_filter_keeps_what_it_says(text, rows):
    assert met(text) == rows


@pytest.mark.parametrize("asked", ["= 1", "!= 1", "< 1", ">= 1", "in (1)", "not in (1)"])
def test_condition_on_a_missing_value_is_false(asked):
    frame = pl.DataFrame({"n": [None, math.nan]}, schema={"n": pl.Float64})
    assert met(f"n {asked}", frame) == []
    assert met(f"not (n {asked})", frame) == [0, 1]


def test_null_and_nan_are_missing():
    assert met("score is missing") == [1, 2]
    assert met("score is not missing") == [0, 3]


def test_not_binds_tighter_than_and_and_that_tighter_than_or():
    condition = parse("a = 1 or not b = 2 and c = 3")
    a, b, c = (Condition(name, Operator.EQUAL, (Literal(i),)) for i, name in enumerate("abc", 1))
    assert condition == Or((a, And((Not(b), c))))


def test_words_of_the_grammar_may_be_in_capitals():
    assert met("NOT title CONTAINS 'heat' AND year IS NOT MISSING") == [1, 3]


def test_a_keyword_in_backticks_is_a_column():
    frame = pl.DataFrame({"in": [1, 2], "a`b": [2, 1]})
    assert met("`in` in (1) and `a``b` = 2", frame) == [0]


def test_a_shortened_float_equals_what_was_stored():
    frame = pl.DataFrame({"score": [0.1, 0.2]}, schema={"score": pl.Float32})
    assert met("score = 0.1", frame) == [0]


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt8, pl.UInt64, pl.Int128])
def test_whole_numbers_beyond_the_type_of_the_column_compare(dtype):
    frame = pl.DataFrame({"n": [0, 100]}, schema={"n": dtype})
    assert met("n < 18446744073709551615 and n > -18446744073709551615", frame) == [0, 1]


def test_large_ids_keep_every_digit():
    frame = pl.DataFrame({"n": [2**63 + 1, 2**63 + 2]}, schema={"n": pl.UInt64})
    assert met(f"n = {2**63 + 1}", frame) == [0]


def test_the_first_separator_found_in_a_cell_parts_it():
    frame = pl.DataFrame({"genres": ["a;b|c,d", "a;b,c", "a,b"]})
    assert met("genres has 'a;b'", frame) == [0]
    assert met("genres has 'b,c'", frame) == [1]
    assert met("genres has 'b'", frame) == [2]


def test_lists_of_fixed_length_are_lists():
    frame = pl.DataFrame({"n": [[1, 2], [3, 4]]}, schema={"n": pl.Array(pl.Int8, 2)})
    assert met("n has 300 or n has 3", frame) == [1]


def test_an_empty_frame_gives_an_empty_mask():
    assert met("year > 3 or tags has 'x' or genres has 'x'", FILMS.head(0)) == []


def test_columns_are_named_once_in_order_of_appearance():
    assert parse_filter("b = 1 and (a = 2 or not b > 3)").columns == ("b", "a")


def test_equal_texts_give_equal_filters():
    assert parse_filter("a = 1") == parse_filter("a = 1")
    assert hash(parse_filter("a = 1")) == hash(parse_filter("a = 1"))
    assert parse_filter("a = 1") != parse_filter("a = 2")


@pytest.mark.parametrize(
    "text, message",
    [
        ("", r"expected a column name, 'not' or '\(', found the end"),
        ("year >= and x", "expected a number, a text in quotes, true or false, found 'and'"),
        ("genres has Drama", "found 'Drama'; put text into quotes"),
        ("'year' = 3", "expected a column name.*bare or in `backticks`"),
        ("and = 3", "expected a column name.*found 'and'"),
        ("year", "expected one of = != .*, found the end"),
        ("year not 3", "expected 'in' after 'not', found '3'"),
        ("year is 3", "expected 'missing' after 'is'.*use '='"),
        ("year in 3", re.escape("expected '(' and a list of values, found '3'")),
        ("year in ()", re.escape("true or false, found ')'")),
        ("year in (3", re.escape("expected ',' or ')', found the end")),
        ("(year = 3", re.escape("expected 'and', 'or' or ')', found the end")),
        ("year = 3 4", "expected 'and', 'or' or the end, found '4'"),
        ("title = 'Heat", "the ' that opens here is .*not closed"),
        ("`` = 3", "the ` that opens here is empty"),
        ("year & 3", "no use for the character '&'"),
        (r"title = 'a\d'", r"'\\d' is no escape; allowed are"),
        ("title = '\ud800'", "half a character"),
        ("year = 18446744073709551616", "out of range"),
        ("year = -18446744073709551616", "out of range"),
        ("year = 1e999", "out of range"),
    ],
)
def test_what_is_no_filter_is_refused_with_what_was_expected(text, message):
    with pytest.raises(FilterError, match=message):
        parse_filter(text)


@pytest.mark.parametrize(
    "text, message",
    [
        ("yaer = 3", "unknown column 'yaer'; did you mean 'year'"),
        ("zzzzzz = 3", "unknown column 'zzzzzz'; expected one of title, year, score"),
        ("year >= 'x'", "'year' holds numbers, .*'x' cannot be compared.*a number, such as 1990"),
        ("year = true", "'year' holds numbers, which True"),
        ("title = 3", "'title' holds text, which 3 cannot be compared with"),
        ("hidden = 1", "write true or false"),
        ("hidden < true", "holds true or false, which '<' does not fit; allowed are =, !=, in"),
        ("`seen on` > 2024", "write a date in quotes, such as '2024-01-31'"),
        ("`seen on` > '2024-02-31'", "which '2024-02-31' cannot be compared with"),
        ("`seen on` > '2024-W01-1'", "which '2024-W01-1' cannot be compared with"),
        ("year has 3", "holds numbers, which 'has' does not fit"),
        ("tags = 'x'", "holds lists, which '=' does not fit; allowed are has, is missing"),
        ("tags has 3", "holds text, which 3"),
    ],
)
def test_a_filter_that_does_not_fit_the_frame_is_refused(text, message):
    with pytest.raises(FilterError, match=message):
        parse_filter(text).mask(FILMS)


def test_types_that_filters_cannot_read_are_refused_but_may_be_missing():
    frame = pl.DataFrame({"box": [{"a": 1}], "boxes": [[{"a": 1}]]})
    with pytest.raises(FilterError, match="holds values that filters cannot read"):
        met("box = 1", frame)
    with pytest.raises(FilterError, match=r"'boxes' holds .*, which filters cannot read"):
        met("boxes has 1", frame)
    assert met("box is not missing", frame) == [0]


def test_an_error_points_at_its_place():
    with pytest.raises(FilterError, match="found 'Drama'") as caught:
        parse_filter("year >= 1990 and\n genres has Drama")
    _, line, caret = str(caught.value).split("\n")
    assert line[caret.index("^") :] == "Drama"


def test_a_long_filter_is_refused():
    with pytest.raises(FilterError, match=f"has {MAX_CHARACTERS + 1} characters"):
        parse_filter("a" * (MAX_CHARACTERS + 1))


@pytest.mark.parametrize("opening, closing", [("not ", ""), ("(", ")")])
def test_a_deep_filter_is_refused(opening, closing):
    parse_filter(opening * MAX_DEPTH + "a = 1" + closing * MAX_DEPTH)
    with pytest.raises(FilterError, match=f"at most {MAX_DEPTH} deep"):
        parse_filter(opening * (MAX_DEPTH + 1) + "a = 1" + closing * (MAX_DEPTH + 1))


def test_siblings_do_not_add_to_the_depth():
    parse_filter(" and ".join(["(not a = 1)"] * MAX_CONDITIONS))


def test_a_filter_of_too_many_conditions_is_refused():
    with pytest.raises(FilterError, match=f"at most {MAX_CONDITIONS} conditions"):
        parse_filter(" or ".join(["a = 1"] * (MAX_CONDITIONS + 1)))


# A slow obvious evaluator, one row at a time, against which random filters are held.

COMPARE = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le}
COMPARE |= {">": operator.gt, ">=": operator.ge}


def is_met(node: Node, row: Row) -> bool:
    if isinstance(node, Not):
        return not is_met(node.part, row)
    if isinstance(node, And):
        return all(is_met(part, row) for part in node.parts)
    if isinstance(node, Or):
        return any(is_met(part, row) for part in node.parts)
    cell = row[node.column]
    is_missing = cell is None or cell != cell
    if node.operator in (Operator.MISSING, Operator.PRESENT):
        return is_missing == (node.operator is Operator.MISSING)
    values = [literal.value for literal in node.values]
    return not is_missing and cell_is_met(cell, node.operator, values)


def cell_is_met(cell: Cell, asked: Operator, values: list[object]) -> bool:
    if isinstance(cell, dt.date):
        values = [dt.date.fromisoformat(str(value)) for value in values]
    if asked in (Operator.IN, Operator.NOT_IN):
        return (cell in values) == (asked is Operator.IN)
    if asked is Operator.CONTAINS:
        return str(values[0]).lower() in str(cell).lower()
    if asked is Operator.HAS:
        return folded(values[0]) in [folded(value) for value in parted(cell)]
    return COMPARE[asked](cell, values[0])


def folded(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def parted(cell: Cell) -> list[object]:
    if isinstance(cell, list):
        return cell
    for separator in LIST_SEPARATORS:
        if separator in str(cell):
            return list(str(cell).split(separator))
    return [cell]


def written(node: Node) -> str:
    if isinstance(node, Not):
        return f"not ({written(node.part)})"
    if isinstance(node, And | Or):
        word = " and " if isinstance(node, And) else " or "
        return word.join(f"({written(part)})" for part in node.parts)
    values = [written_value(literal.value) for literal in node.values]
    column = "`" + node.column.replace("`", "``") + "`"
    if node.operator in (Operator.IN, Operator.NOT_IN):
        return f"{column} {node.operator} ({','.join(values)})"
    return " ".join([column, node.operator, *values])


def written_value(value: object) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value).lower() if isinstance(value, bool) else repr(value)


TEXTS = st.text("aAbÉß|;, 'ö\\`\n", max_size=4)
NUMBERS = st.integers(-3, 3) | st.sampled_from([-0.5, 1.0, 2.5, 1e300])
DAYS = st.dates(dt.date(2020, 1, 1), dt.date(2020, 1, 4))
CELLS: dict[str, st.SearchStrategy[Cell]] = {
    "year": st.integers(-3, 3),
    "a `score`": st.sampled_from([-0.5, 1.0, 2.5, math.nan, math.inf]),
    "title": TEXTS,
    "tags": st.lists(TEXTS | st.none(), max_size=3),
    "codes": st.lists(st.integers(-3, 3), max_size=3),
    "day": DAYS,
    "hidden": st.booleans(),
}
DTYPES = [
    pl.Int16,
    pl.Float64,
    pl.String,
    pl.List(pl.String),
    pl.List(pl.Int64),
    pl.Date,
    pl.Boolean,
]
SCHEMA = dict(zip(CELLS, DTYPES, strict=True))
VALUES: dict[str, st.SearchStrategy[str | int | float | bool]] = {
    "year": NUMBERS,
    "a `score`": NUMBERS,
    "title": TEXTS,
    "tags": TEXTS,
    "codes": NUMBERS,
    "day": DAYS.map(str),
    "hidden": st.booleans(),
}
MEMBERSHIP = ["=", "!=", "in", "not in"]
ORDER = ["<", "<=", ">", ">="]
ASKED = {
    "year": MEMBERSHIP + ORDER,
    "a `score`": MEMBERSHIP + ORDER,
    "title": [*MEMBERSHIP, *ORDER, "has", "contains"],
    "tags": ["has"],
    "codes": ["has"],
    "day": MEMBERSHIP + ORDER,
    "hidden": MEMBERSHIP,
}


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    column = draw(st.sampled_from(list(CELLS)))
    asked = Operator(draw(st.sampled_from([*ASKED[column], "is missing", "is not missing"])))
    if asked in (Operator.MISSING, Operator.PRESENT):
        return Condition(column, asked)
    most = 3 if asked in (Operator.IN, Operator.NOT_IN) else 1
    values = draw(st.lists(VALUES[column], min_size=1, max_size=most))
    return Condition(column, asked, tuple(Literal(value) for value in values))


def parts(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(nodes, min_size=2, max_size=3).map(tuple)
    return nodes.map(Not) | several.map(And) | several.map(Or)


NODES = st.recursive(conditions(), parts, max_leaves=6)
ROWS = st.lists(
    st.fixed_dictionaries({name: cells | st.none() for name, cells in CELLS.items()}), max_size=5
)


@given(node=NODES, rows=ROWS)
def test_masks_equal_a_slow_obvious_evaluator(node, rows):
    frame = pl.DataFrame(rows, schema=SCHEMA)
    mask = parse_filter(written(node)).mask(frame)
    assert mask.tolist() == [is_met(node, row) for row in rows]


@given(node=NODES)
def test_a_written_tree_is_read_back(node):
    assert parse(written(node)) == node


PIECES = ["year", "`a b`", "'x'", '"y"', "1990", "-1.5e3", "true", "(", ")", ",", "and", "or"]
PIECES += ["not", "in", "has", "contains", "is", "missing", "=", "!=", "<=", ">", "'", "`", "\\"]


@given(text=st.text() | st.text(st.characters()) | st.lists(st.sampled_from(PIECES)).map(" ".join))
@example("'" * 4001)
@example("`" * 4001)
@example("9" * 4096)
@example("a = " + "9" * 4000)
@example("a = '" + "\\'" * 2000)
def test_any_text_is_a_filter_or_a_filter_error(text):
    with contextlib.suppress(FilterError):
        parse_filter(text).mask(FILMS)


def test_a_hostile_pattern_is_only_text():
    frame = pl.DataFrame({"title": ["a" * 50_000, "(a+)+$"]})
    assert met("title contains '(a+)+$' or title has '(a+)+$'", frame) == [1]

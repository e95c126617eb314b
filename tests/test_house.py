"""The house keeps its own rules: sizes, a light core, one place that prints, a documented face."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import longtale

SOURCE = Path(longtale.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
FILE_LINES = 300
FUNCTION_LINES = 30
ANSWERING = ("recommend", "serve", "cli")
EXTRAS = {
    "matplotlib",
    "onnx",
    "openvino",
    "psycopg",
    "sentence_transformers",
    "sqlalchemy",
    "torch",
    "transformers",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def shown(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def functions_in(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def lines_of(function: Function) -> int:
    """Count the lines of a function from `def` to its end, without its docstring."""
    docstring = 0
    if ast.get_docstring(function) is not None:
        first = function.body[0]
        docstring = (first.end_lineno or first.lineno) - first.lineno + 1
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def imported_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print(*sorted(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.split())


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def test_no_file_is_longer_than_its_reader_can_hold():
    long = {
        shown(path): n
        for path in FILES
        if (n := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES
    }
    assert not long, f"split these, or move what is another noun: {long}"


def test_nine_functions_in_ten_are_short():
    sizes = sorted(
        (lines_of(function), f"{shown(path)}:{function.lineno} {function.name}")
        for path in FILES
        for function in functions_in(path)
    )
    assert sizes, "no function was found"
    assert sizes[int(0.9 * len(sizes))][0] <= FUNCTION_LINES, f"the longest: {sizes[-10:]}"


def test_import_of_the_package_loads_no_extra():
    loaded = imported_after("import longtale") & EXTRAS
    assert not loaded


def test_what_answers_loads_no_extra():
    modules = [
        module_name(path)
        for room in ANSWERING
        for path in sorted((SOURCE / room).rglob("*.py"))
        if path.name != "__main__.py"
    ]
    imports = "\n".join(f"import {module}" for module in ["longtale", *modules])
    loaded = imported_after(imports) & EXTRAS
    assert not loaded


def test_only_the_command_line_prints():
    prints = [
        f"{shown(path)}:{node.lineno}"
        for path in FILES
        if path.relative_to(SOURCE).parts[0] != "cli"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Name) and node.id == "print")
        or (isinstance(node, ast.Attribute) and node.attr == "stdout")
    ]
    assert not prints, f"log it, return it, or raise it: {prints}"


@pytest.mark.parametrize("name", getattr(longtale, "__all__", []))
def test_every_public_name_says_what_it_is(name):
    thing = getattr(longtale, name)
    if inspect.isclass(thing) or callable(thing):
        assert inspect.getdoc(thing), f"longtale.{name} has no docstring"


def test_version_is_a_release_number():
    assert re.fullmatch(r"\d+\.\d+\.\d+", longtale.__version__)

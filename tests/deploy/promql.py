"""What expressions for Prometheus name, and whether Prometheus can read them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from longtale.monitor.metrics import METRICS, Kind

DEPLOY = Path(__file__).parents[2] / "deploy"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed (Debian package prometheus)",
)

_TARGET_LABELS = {"job", "instance", "namespace", "pod", "service", "le"}
_EXPORTED = re.compile(r"(?<![\w:])(longtale_\w+)(?:\{([^}]*)\})?")
_RECORDED = re.compile(r"(?<![\w:])(longtale:[\w:]+)")
_MATCHED = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
_GROUPED = re.compile(r"\b(?:by|without)\s*\(([^)]*)\)")


def labels_by_series() -> dict[str, set[str]]:
    """Give every series that the service exports, with its labels."""
    found = {}
    for metric in METRICS:
        labels = {label.name for label in metric.labels}
        suffixes = ("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",)
        found |= {metric.name + suffix: labels for suffix in suffixes}
    return found


def unknown_names(expression: str, recorded: set[str] = frozenset()) -> set[str]:
    """Give the series and labels of an expression that the service does not export."""
    known = labels_by_series()
    unknown = {name for name in _RECORDED.findall(expression) if name not in recorded}
    used: set[str] = set()
    for name, matchers in _EXPORTED.findall(expression):
        if name not in known:
            unknown.add(name)
            continue
        used |= known[name]
        unknown |= {
            f"{name}{{{label}}}"
            for label in _MATCHED.findall(matchers)
            if label not in known[name] | _TARGET_LABELS
        }
    grouped = {
        label.strip() for found in _GROUPED.findall(expression) for label in found.split(",")
    }
    if used or not _RECORDED.search(expression):
        unknown |= {f"by ({label})" for label in grouped - used - _TARGET_LABELS - {""}}
    return unknown


def unreadable(expressions: dict[str, str], folder: Path) -> str:
    """Give what promtool says of expressions that it cannot read; nothing where it reads all."""
    rules = [
        {"record": f"tried:{place}", "expr": expression}
        for place, expression in enumerate(expressions.values())
    ]
    file = folder / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "tried", "rules": rules}]}), encoding="utf-8")
    return promtool("check", "rules", str(file))


def promtool(*arguments: str) -> str:
    """Give what promtool complains about; nothing where all is well."""
    ran = subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, check=False, cwd=DEPLOY
    )
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


def walked(value: Any) -> list[dict[str, Any]]:
    """Give every mapping within a JSON value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict) else []
    return own + [found for each in inner for found in walked(each)]

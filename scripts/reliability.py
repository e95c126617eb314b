"""Write docs/reliability.md out of the reports that lie in docs/reliability/.

longtale reliability run --quick --out out
python scripts/reliability.py out/report.json     take what was found over, and write the page
python scripts/reliability.py                     write the page alone

There is one report for each scale; what a new one tells of a guarantee takes the place of what the
one before it told, so that a full run can be made in parts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from longtale.reliability.guarantee import State
from longtale.reliability.pages import markdown
from longtale.reliability.promises import GUARANTEES

DOCS = Path(__file__).parents[1] / "docs"
KEPT = DOCS / "reliability"


def main() -> None:
    for path in sys.argv[1:]:
        report = read(Path(path))
        kept = KEPT / f"{report['scale']}.json"
        merged = joined(read(kept), report) if kept.exists() else report
        text = json.dumps(merged, indent=1, ensure_ascii=False)
        kept.write_text(text + "\n", encoding="utf-8")
    reports = [read(path) for path in sorted(KEPT.glob("*.json"), reverse=True)]  # quick, full
    (DOCS / "reliability.md").write_text(markdown(reports), encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def joined(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Give the new report, with what only the old one tells."""
    told = {each["name"]: each for each in (*old["guarantees"], *new["guarantees"])}
    guarantees = [told[g.name] for g in GUARANTEES if g.name in told]
    return {
        **new,
        "seconds": round(sum(each["seconds"] for each in guarantees), 1),
        "is_proven": all(
            each["state"] != State.BROKEN and each["is_mutant_caught"] is not False
            for each in guarantees
        ),
        "guarantees": guarantees,
    }


if __name__ == "__main__":
    main()

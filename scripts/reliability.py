"""Write docs/reliability.md out of the reports that lie in docs/reliability/.

longtale reliability run --quick --out out && cp out/report.json docs/reliability/quick.json
python scripts/reliability.py
"""

from __future__ import annotations

import json
from pathlib import Path

from longtale.reliability.pages import markdown

DOCS = Path(__file__).parents[1] / "docs"


def main() -> None:
    kept = sorted((DOCS / "reliability").glob("*.json"), reverse=True)  # the quick run first
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in kept]
    (DOCS / "reliability.md").write_text(markdown(reports), encoding="utf-8")


if __name__ == "__main__":
    main()

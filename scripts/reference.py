"""Write the pages of docs/ that are made from the code, or check that they are as it says.

python scripts/reference.py            write them
python scripts/reference.py --check    exit with 1 where one is stale
"""

from __future__ import annotations

import sys
from pathlib import Path

from longtale.cli.pages import pages

DOCS = Path(__file__).parents[1] / "docs"


def main() -> int:
    stale = []
    for name, text in pages().items():
        path = DOCS / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv[1:]:
            path.write_text(text, encoding="utf-8")
    done = "stale, run: make docs" if "--check" in sys.argv[1:] else "written"
    print(f"{done}: {', '.join(stale)}" if stale else "every page is as the code says")
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())

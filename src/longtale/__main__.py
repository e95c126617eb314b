"""`python -m longtale` is `longtale`."""

from __future__ import annotations

from longtale.cli.main import main

if __name__ == "__main__":
    main()

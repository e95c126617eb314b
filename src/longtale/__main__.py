"""`python -m longtale`."""

import sys

from longtale.cli.main import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))

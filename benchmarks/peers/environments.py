"""One virtual environment per peer, so that none decides another's versions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

RUNNERS = Path(__file__).parent / "runners"

PINS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "implicit": ("implicit==0.7.3", "numpy==2.4.6", "scipy==1.17.1"),
        "irspack": ("irspack==0.5.2", "numpy==2.4.6", "scipy==1.17.1"),
        "cornac": ("cornac==3.0.1", "numpy==2.4.6", "scipy==1.17.1"),
        "rectools": (
            "rectools[torch]==0.19.0",
            "numpy==1.26.4",
            "pandas==2.3.3",
            "pytorch-lightning==2.5.2",
            "torch==2.13.0",
        ),
    }
)
"""What each environment holds; all else is what these bring along."""

ONE_THREAD: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    )
)


def python_of(peer: str, folder: Path) -> Path:
    """Give the Python of a peer's environment, which is made where it is missing or has other pins.

    `pip` installs, with the settings that it has on this machine; where these name no build of
    torch without a GPU, the one with it is taken, which changes no figure.
    """
    home = (folder / peer).absolute()
    python, made = home / "bin" / "python", home / "pins.txt"
    pins = "\n".join(PINS[peer])
    if made.is_file() and made.read_text() == pins:
        return python
    print(f"making the environment of {peer} in {home}", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "-q", *PINS[peer]], check=True)
    made.write_text(pins)
    return python

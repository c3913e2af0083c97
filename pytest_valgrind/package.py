"""Where the package lies: its shared objects are in its root, whichever wing uses them."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent

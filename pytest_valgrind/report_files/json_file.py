"""The report as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: What each name means, as a JSON schema.
SCHEMA = Path(__file__).parent / "report-1.schema.json"


def write(document: dict[str, Any], path: Path) -> None:
    """Write the document of a run.

    :raises OSError: if the file cannot be written.
    """
    path.write_text(f"{json.dumps(document, indent=1)}\n", encoding="utf-8")

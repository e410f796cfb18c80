"""Print what the changelog says of a version: python scripts/release_notes.py source-closeio 0.2.0

Fails where the connector is of another version, or the changelog says nothing of it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

REPO = Path(__file__).parent.parent


def notes(connector: str, version: str) -> str:
    metadata = (REPO / connector / "metadata.yaml").read_text("utf-8")
    if f"dockerImageTag: {version}\n" not in metadata:
        sys.exit(f"{connector}/metadata.yaml has not the version {version}.")
    changelog = (REPO / connector / "CHANGELOG.md").read_text("utf-8")
    section = re.search(rf"^## {re.escape(version)} .*?$(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not section or not section[1].strip():
        sys.exit(f"{connector}/CHANGELOG.md says nothing of {version}.")
    return section[1].strip()


if __name__ == "__main__":
    print(notes(*sys.argv[1:]))

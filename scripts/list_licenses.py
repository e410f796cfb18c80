"""Write THIRD_PARTY_LICENSES.md of each connector: the packages that its image installs, each with its licence.

Part of `make lock`: the environment for development has every package of the images' locks in the same version.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

REPO = Path(__file__).parent.parent
HEAD = """# Third-party licenses

The Python packages in the image of {connector}, listed by `make lock`. The texts that they come with are in the image,
each in the `.dist-info` folder of its package.

| package | version | license |
|---|---|---|
"""


def packages(lock: Path) -> list[tuple[str, str]]:
    return re.findall(r"^([\w.-]+)==([^\s;]+)", lock.read_text("utf-8"), re.MULTILINE)


def license_of(found: Distribution) -> str:
    """As an SPDX expression where the package has one; else by its classifiers, or in its own words."""
    expression, classifiers, own_words = (
        found.metadata.get_all(field, []) for field in ("License-Expression", "Classifier", "License")
    )
    by_classifiers = [each.split(" :: ")[-1] for each in classifiers if each.startswith("License :: ")]
    named = expression or by_classifiers or [text.split("\n")[0] for text in own_words]
    if not named:
        sys.exit(f"{found.name} names no license.")
    return " / ".join(named)


def row(name: str, version: str) -> str:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        sys.exit(f"{name} is in a lock and not in the environment. Run `make lock`.")
    if found.version != version:
        sys.exit(f"{name} is {found.version} in the environment and {version} in a lock. Run `make lock`.")
    return f"| {name} | {version} | {license_of(found)} |\n"


def main() -> None:
    """One list for each lock of an image."""
    for lock in sorted(REPO.glob("source-*/requirements.lock")):
        rows = [row(name, version) for name, version in packages(lock)]
        text = HEAD.format(connector=lock.parent.name) + "".join(rows)
        lock.with_name("THIRD_PARTY_LICENSES.md").write_text(text, "utf-8")
        print(f"{lock.parent.name}: {len(rows)} packages with their licenses")


if __name__ == "__main__":
    main()

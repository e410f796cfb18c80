"""The commands of the READMEs, block by block, as they stand, against the simulator.

Three programs are not the real ones: `make` says what it would do, `docker` runs on the host's network, where the
simulator is, and `python3 -m venv` gives the environment of these tests, where the connector is installed already.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from integration_tests.airbyte import ROOT, STREAMS

REPO = ROOT.parent
SHIMS = {
    "make": 'exec {make} --dry-run "$@"',
    "docker": '[ "$1" != run ] && exec {docker} "$@"; shift; exec {docker} run --network host "$@"',
    "python3": """
        [ "$2" = venv ] || exec {python} "$@"
        mkdir -p "$3/bin"; cd "$3/bin"
        echo '#!/bin/sh' > pip; chmod +x pip
        printf '#!/bin/sh\\nexec {python} "$@"\\n' > python; chmod +x python
        ln -s {bin}/source-fullstory .
    """,
}


def blocks(readme: Path) -> list[str]:
    text = readme.read_text("utf-8") if readme.exists() else ""  # the folder may stand alone
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, configs: Path) -> Path:
    """What a person has after `git clone`: links to it, so that nothing is left in it."""
    folder = tmp_path_factory.mktemp("clone")
    for path in REPO.iterdir():
        if not path.name.startswith("."):
            (folder / path.name).symlink_to(path)
    programs = folder / ".programs"
    programs.mkdir()
    where = {name: shutil.which(name) for name in ("make", "docker")}
    for name, script in SHIMS.items():
        filled = script.format(**where, python=sys.executable, bin=Path(sys.executable).parent)
        (programs / name).write_text(f"#!/usr/bin/env bash\n{filled}\n")
        (programs / name).chmod(0o755)
    return folder


def run(block: str, folder: Path) -> None:
    environment = {**os.environ, "PATH": f"{folder}/.programs:{os.environ['PATH']}"}
    command = ["bash", "-euo", "pipefail", "-c", block]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{block}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    if " check " in block:
        assert '"status":"SUCCEEDED"' in done.stdout


def rows(path: Path) -> Counter[str]:
    messages = map(json.loads, path.read_text("utf-8").split("\n")[:-1])
    return Counter(message["record"]["stream"] for message in messages if message["type"] == "RECORD")


@pytest.mark.parametrize("block", blocks(ROOT / "README.md"))
def test_a_block_of_the_readme(block: str, clone: Path, configs: Path, request: pytest.FixtureRequest) -> None:
    if "docker" in block:
        request.getfixturevalue("engine")
    run(block, clone)
    if "> my/config.json" in block:  # now with the key and the address of the simulator
        shutil.copy(configs / "sample_config.json", clone / "my" / "config.json")
    if "> my/rows.jsonl" in block:
        assert set(rows(clone / "my" / "rows.jsonl")) == STREAMS
    if "> my/news.jsonl" in block:
        assert rows(clone / "my" / "news.jsonl").total() < rows(clone / "my" / "rows.jsonl").total() / 2


@pytest.mark.parametrize("block", blocks(REPO / "README.md"))
def test_a_block_of_the_readme_of_the_repository(block: str, clone: Path) -> None:
    run(block, clone)


def test_links_of_the_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *REPO.glob("*.md"), *REPO.glob("docs/*.md")]
    broken = [
        f"{page.relative_to(REPO)}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert broken == []

"""What the documents point at is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
PAGES = [*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md"), *(REPO / "examples").rglob("*.md")]
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPO).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = [link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    missing = [target for target in targets if target and not (page.parent / target).exists()]
    assert missing == []


def test_every_page_is_in_the_index() -> None:
    index = (REPO / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {page.relative_to(REPO / "docs").as_posix() for page in (REPO / "docs").rglob("*.md")} - {"README.md"}
    assert pages <= set(LINK.findall(index))


def test_what_is_said_of_the_confidence_of_segments_is_what_ships() -> None:
    """The page explains a calibration as the shipped model's own only where the shipped model has one."""
    shipped = json.loads((REPO / "src/tronie/models/shipped/default/model.json").read_text("utf-8"))["segments"]
    page = (REPO / "docs" / "reference" / "timeline.md").read_text("utf-8")
    assert ("The model that ships brings no calibration of segments" in page) == (shipped is None)


def test_the_tree_in_the_design_is_the_tree_on_disk() -> None:
    page = (REPO / "docs" / "explanation" / "design.md").read_text(encoding="utf-8")
    drawn = re.search(r"```\nsrc/tronie/\n(.*?)```", page, re.DOTALL)
    assert drawn is not None
    rooms = {name for line in drawn[1].splitlines() for name in re.findall(r"^  ([a-z]+)/ ", line)}
    package = REPO / "src" / "tronie"
    on_disk = {path.parent.name for path in package.glob("*/*") if path.suffix in (".py", ".toml")}
    assert rooms | {"cli"} == on_disk

"""Every command of README and docs runs, page by page in one folder, and prints what is shown.

``python -m tools.docs --write`` renews what the pages show; `tools/docs/scenes.py` says what they
suppose, and which commands are the soak's.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docs import blocks
from tools.docs.scenes import SCENES
from tools.docs.walk import Walk

PAGES = [page for page in blocks.PAGES if blocks.commands(page)]
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    """What several pages make is made once."""
    return Walk(tmp_path_factory.mktemp("docs") / "kept")


def go(walk: Walk, page: str, folder: Path, *, long: bool) -> None:
    text = " ".join(blocks.commands(page))
    if "icarus" in text and shutil.which("iverilog") is None:
        pytest.skip("Icarus is not installed")
    if ".pte" in text:
        pytest.importorskip("executorch")
    wrong = [
        f"$ {done.command.text}\n{done.wrong}"
        for done in walk.page(page, folder, long=long)
        if done.wrong
    ]
    assert not wrong, "\n".join(
        [*wrong, f"to renew what is shown: python -m tools.docs --write {page}"]
    )


@pytest.mark.parametrize("page", PAGES)
def test_a_newcomer_goes_down_the_page(page: str, walk: Walk, tmp_path: Path) -> None:
    go(walk, page, tmp_path, long=False)


@pytest.mark.soak
@pytest.mark.parametrize("page", [page for page, scene in SCENES.items() if scene.long])
def test_with_what_takes_long(page: str, walk: Walk, tmp_path: Path) -> None:
    go(walk, page, tmp_path, long=True)


@pytest.mark.parametrize("page", SCENES)
def test_what_is_said_of_commands_is_said_of_those_that_there_are(page: str) -> None:
    scene = SCENES[page]
    assert {*scene.status, *scene.near, *scene.long, *scene.elsewhere} <= {*blocks.commands(page)}
    assert not {*scene.elsewhere} & {*scene.status, *scene.near, *scene.long}

"""The set-up notices what is wrong with an environment, without installing anything."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tools.bootstrap import __main__ as bootstrap
from tools.bootstrap import install, state, system

LOCK = {
    "run": "numpy==2.4.6 \\\n    --hash=sha256:aa\n    # via qsim\n",
    "test": "numpy==2.4.6 \\\n    --hash=sha256:aa\npkg==1 ; sys_platform == 'linux' \\\n"
    "    --hash=sha256:bb\n",
}
RELEASES = {"numpy": "2.4.6", "pkg": "1", "torch": "2.13.0+cpu"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a lock, and nothing installed."""
    monkeypatch.setattr(state, "ROOT", tmp_path)
    monkeypatch.setattr(state, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(state, "STAMP", tmp_path / ".venv" / "qsim-stamp.json")
    monkeypatch.setattr(state, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    (tmp_path / "requirements").mkdir()
    for name, text in LOCK.items():
        state.lock(name).write_text(text)
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["torch==2.13.0"]\n')
    return tmp_path


@pytest.fixture
def site(root: Path) -> Path:
    """The project with the set `test` installed."""
    state.PYTHON.parent.mkdir(parents=True)
    state.PYTHON.symlink_to(sys.executable)
    site = state.site_packages()
    (site / "pkg").mkdir(parents=True)
    (site / "pkg" / "a.py").write_text("12345")
    for name, release in RELEASES.items():
        (site / f"{name}-{release}.dist-info").mkdir()
    record = site / "pkg-1.dist-info" / "RECORD"
    record.write_text("pkg/a.py,sha256=x,5\npkg/a.pyc,,\n")
    state.Stamp("test", state.digest(), str(root), RELEASES).write()
    return site


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """What was to be installed, instead of installing it."""
    found: list[tuple[str, dict[str, str]]] = []

    def record(which: str, old: dict[str, str]) -> dict[str, str]:
        found.append((which, dict(old)))
        return RELEASES

    monkeypatch.setattr(install, "install", record)
    monkeypatch.setattr(system, "lacking_tools", list)
    return found


@pytest.mark.parametrize("which", ["run", "test"])
def test_a_complete_environment_is_kept(site: Path, asked: list[object], which: str) -> None:
    assert state.why_broken() == ""
    assert bootstrap.main([which]) == 0
    assert asked == []


def test_a_missing_environment_is_broken(root: Path) -> None:
    assert state.why_broken() == "it has no Python"


def test_an_interrupted_install_is_broken(site: Path) -> None:
    state.STAMP.unlink()
    assert state.why_broken() == "its set-up was not finished"


def test_a_deleted_file_is_named(site: Path) -> None:
    (site / "pkg" / "a.py").unlink()
    assert state.why_broken() == "pkg/a.py is missing"


def test_a_truncated_file_is_named(site: Path) -> None:
    (site / "pkg" / "a.py").write_text("123")
    assert state.why_broken() == "pkg/a.py has 3 bytes instead of 5"


def test_a_python_that_does_not_run_is_broken(site: Path) -> None:
    state.PYTHON.unlink()
    state.PYTHON.symlink_to("/bin/false")
    assert "does not run" in state.why_broken()


def test_the_larger_set_is_installed_and_stays(root: Path, site: Path, asked: list[object]) -> None:
    state.Stamp("run", state.digest(), str(root), {"numpy": "2.4.6"}).write()
    assert bootstrap.main(["run"]) == 0
    assert asked == []
    assert bootstrap.main(["test"]) == 0
    assert asked == [("test", {"numpy": "2.4.6"})]
    assert state.stamp().which == "test"
    state.lock("run").write_text(LOCK["run"] + "six==1.0\n")
    assert bootstrap.main(["run"]) == 0
    assert asked[1:] == [("test", RELEASES)]


@pytest.mark.parametrize(
    "name", ["requirements/run.txt", "requirements/test.txt", "pyproject.toml"]
)
def test_a_changed_lock_is_installed(
    root: Path, site: Path, asked: list[object], name: str
) -> None:
    (root / name).write_text((root / name).read_text() + "# renewed\n")
    assert bootstrap.main(["test"]) == 0
    assert asked == [("test", RELEASES)]
    assert bootstrap.main(["test"]) == 0
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"numpy-2.4.6": "numpy-2.4.5"}, "numpy is 2.4.5, the lock gave 2.4.6"),
        ({"numpy-2.4.6": None}, "numpy is missing, the lock gave 2.4.6"),
        ({"torch-2.13.0+cpu": "torch-2.14.0"}, "torch is 2.14.0, the lock gave 2.13.0+cpu"),
        ({"": "NumPy-2.5.0"}, "numpy is 2.5.0 and 2.4.6, the lock gave 2.4.6"),
    ],
)
def test_another_release_is_noticed_and_put_back(
    site: Path,
    asked: list[object],
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str | None],
    told: str,
) -> None:
    for old, new in change.items():
        if old:
            (site / f"{old}.dist-info").rename(site / f"{new}.dist-info" if new else site / "gone")
        else:
            (site / f"{new}.dist-info").mkdir()
    assert bootstrap.main(["run"]) == 0
    assert told in capsys.readouterr().err
    assert asked == [("test", RELEASES)]


def test_a_package_beside_the_lock_is_left_alone(site: Path, asked: list[object]) -> None:
    (site / "ipdb-1.0.dist-info").mkdir()
    assert bootstrap.main(["test"]) == 0
    assert asked == []


def test_a_stamp_of_another_kind_is_not_trusted(site: Path, asked: list[object]) -> None:
    state.STAMP.write_text(json.dumps({"digest": state.digest(), "extras": ["models"]}))
    assert bootstrap.main(["run"]) == 0
    assert asked == [("run", {})]


@pytest.fixture
def ran(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands of an installation, instead of their effects."""
    found: list[list[str]] = []
    for name in ("ROOT", "PYTHON"):
        monkeypatch.setattr(install, name, getattr(state, name))
    monkeypatch.setattr(install, "run", lambda *words: found.append([str(word) for word in words]))
    return found


def test_an_installation_resolves_nothing_but_torch(site: Path, ran: list[list[str]]) -> None:
    given = install.install("test", {**RELEASES, "old-peer": "1"})
    assert given == RELEASES
    removal, run, test, torch, project = ran
    assert removal[-2:] == ["--yes", "old-peer"]
    for command, name in ((run, "run"), (test, "test")):
        assert {"--require-hashes", "--no-deps", str(state.lock(name))} <= set(command)
    assert run[-2:] == ["--only-binary", ":all:"]
    assert torch[-1] == "torch==2.13.0"
    assert {"--no-deps", "--no-build-isolation", "--editable"} <= set(project)


def test_a_release_that_the_lock_does_not_have_stops_the_set_up(
    site: Path, ran: list[list[str]]
) -> None:
    (site / "numpy-2.4.6.dist-info").rename(site / "numpy-2.5.0.dist-info")
    with pytest.raises(SystemExit, match=r"numpy is 2\.5\.0, the lock has 2\.4\.6"):
        install.install("run", {})


def editable(site: Path, root: Path) -> None:
    """Say that qsim was installed from a folder."""
    record = site / "qsim-1.dist-info"
    record.mkdir(exist_ok=True)
    (record / "direct_url.json").write_text(json.dumps({"url": root.as_uri()}))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_link_to_an_environment_of_another_checkout_is_left_alone(
    root: Path, site: Path, asked: list[object]
) -> None:
    other = root / "other"
    (root / ".venv").rename(other)
    state.VENV.symlink_to(other)
    state.Stamp("run", "old", str(root / "elsewhere")).write()
    before = contents(other)
    with pytest.raises(SystemExit, match=f"is a link to {other}, so it belongs to another") as told:
        bootstrap.main(["test"])
    assert "\n" not in str(told.value)
    assert contents(other) == before
    assert asked == []


def test_a_link_to_an_environment_of_this_checkout_is_its_own(
    root: Path, site: Path, asked: list[object]
) -> None:
    (root / ".venv").rename(root / "on another disk")
    state.VENV.symlink_to(root / "on another disk")
    assert bootstrap.main(["test"]) == 0


def test_an_install_from_another_checkout_is_left_alone(
    root: Path, site: Path, asked: list[object]
) -> None:
    other = root / "an other"
    other.mkdir()
    (other / "pyproject.toml").touch()
    editable(site, other)
    state.Stamp("run", "old", str(other)).write()
    with pytest.raises(SystemExit, match=f"has qsim installed from {other}, so it belongs"):
        bootstrap.main(["test"])
    assert asked == []
    editable(site, root)
    assert bootstrap.main(["test"]) == 0
    assert len(asked) == 1


def test_a_moved_checkout_is_set_up_anew(root: Path, site: Path, asked: list[object]) -> None:
    editable(site, root / "where it was")
    state.Stamp("run", state.digest(), str(root / "where it was")).write()
    assert bootstrap.main(["run"]) == 0
    assert len(asked) == 1


@pytest.mark.parametrize("arguments", [[], ["models"], ["run", "test"]])
def test_other_arguments_are_refused(root: Path, arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="expected one of run, test"):
        bootstrap.main(arguments)


def test_system_tools_are_installed_for_tests(
    site: Path, asked: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[object, ...]] = []
    monkeypatch.setattr(system, "run", lambda *words: ran.append(words))
    monkeypatch.setattr(system, "lacking_tools", lambda: ["iverilog", "perl"])
    assert bootstrap.main(["run"]) == 0
    assert ran == []
    assert bootstrap.main(["test"]) == 0
    assert [words[-4:] for words in ran][-1] == (
        "-y", "--no-install-recommends", "iverilog", "perl"
    )  # fmt: skip


def test_lacking_tools_are_told_by_package(monkeypatch: pytest.MonkeyPatch) -> None:
    here = {"g++", "make"}
    monkeypatch.setattr(system.shutil, "which", lambda name: name if name in here else None)
    monkeypatch.setattr(system.sys, "base_prefix", "/opt/python")
    assert system.lacking_tools() == ["iverilog", "perl"]
    monkeypatch.setattr(system.sys, "base_prefix", "/usr")
    monkeypatch.setattr(system.ctypes.util, "find_library", lambda _name: None)
    assert system.lacking_tools()[-1].startswith("libpython3.")

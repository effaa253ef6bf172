"""tools.docs: pages are read as a newcomer reads them, and what is not printed is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.docs import __main__ as program
from tools.docs import walk
from tools.docs.blocks import Command, File, blocks, steps
from tools.docs.shown import difference, renewed

PAGE = """
```python
# mine.py
x = 1
```
```
qsim run digits             a run
qsim prove <primitive>      not a command
other words
```
```
$ qsim models   # with a comment
one
 …
two

$ echo $?
0
```
""".splitlines()

TABLE = """
 layer   MACs  SQNR dB  differing
 ────────────────────────────────
 conv   9.22k     41.6        823
 total    10k                 823

504 samples in 0.30 s, 12 ms
  Kernels: pairs 7, max_pool 1.
  waves: /var/a/b/run.vcd
""".splitlines()


def test_steps() -> None:
    found = steps(PAGE)
    assert found == [
        File("mine.py", "# mine.py\nx = 1\n"),
        Command("qsim run digits", None, 7),
        Command("qsim prove <primitive>", None, 8),
        Command("qsim models", ("one", " …", "two", ""), 12),
        Command("echo $?", ("0",), 17),
    ]
    commands = [each for each in found if isinstance(each, Command)]
    assert [each.is_placeholder for each in commands] == [False, True, False, False]
    assert [PAGE[each.start] for each in commands if each.shown] == ["one", "0"]
    with pytest.raises(ValueError, match=r"x\.md: a block without an end"):
        blocks(["```", "text"], "x.md")


def changed(old: str, new: str) -> list[str]:
    assert any(old in line for line in TABLE)
    return [line.replace(old, new) for line in TABLE]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *(("0.30 s", "1.2 s"), ("12 ms", "3 s"), ("41.6", "38.0"), ("823", "1,024")),
        *(("pairs 7", "vnni 7"), ("/var/a/b/", "/home/me/"), ("──", "────")),
    ],
)
def test_what_varies_is_masked(old: str, new: str) -> None:
    assert not difference(TABLE, changed(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [("9.22k", "9.23k"), ("conv", "fc"), ("504", "503"), ("samples", "images"), ("run.vcd", "x")],
)
def test_what_does_not_vary_is_compared(old: str, new: str) -> None:
    assert "shown: " in difference(TABLE, changed(old, new))


def test_numbers_of_a_command_may_be_masked() -> None:
    assert not difference(TABLE, changed("504", "503"), numbers=True)
    assert difference(TABLE, changed("samples", "images"), numbers=True)


PRINTED = ["a 1", "b", "c", "d", "e 2"]


@pytest.mark.parametrize(
    ("shown", "right"),
    [
        (["a 1", "…", "e 2"], True),
        (["…", "c", " …"], True),
        (["a 1", "…", "c", "d", "…", "e 2", ""], True),
        (["b", "…"], False),
        (["a 1", "…", "d"], False),
        (["a 1", "…", "d", "c", "…", "e 2"], False),
        (["a 1", "…", "x", "…", "e 2"], False),
        (PRINTED[:-1], False),
    ],
)
def test_gaps_stand_for_any_lines(shown: list[str], right: bool) -> None:
    assert (not difference(shown, PRINTED)) == right


def test_a_page_is_renewed_with_its_gaps() -> None:
    now = ["a 3", "new", "c", "d", "e 4"]
    assert renewed(["a 1", "…", "c", " …", "e 2"], now) == ["a 3", "…", "c", " …", "e 4"]
    assert renewed(["old"], now) == now
    with pytest.raises(ValueError, match="nothing printed looks like 'x'"):
        renewed(["a 1", "…", "x", "…"], now)
    shown = ["x", "…", "Network: sha256:ab1", "Output sha256:0a", ""]
    now = ["x", "y", "Network: sha256:cd", "between", "Output sha256:ff", "after"]
    assert renewed(shown, now) == ["x", "…", *now[2:]]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (program, walk):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path / "page.md"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["tools.docs", *arguments, "page.md"])
    return program.main()


def test_a_page_that_shows_something_else_is_told_and_renewed(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "```\n$ qsim --version\n{}\n\n$ echo $?\n0\n```\nbelow\n"
    page.write_text(text.format("qsim of old"))
    assert run(monkeypatch) == 1
    assert "shown: 'qsim of old'" in capsys.readouterr().out
    assert run(monkeypatch, "--write") == 0
    assert page.read_text() == text.format(f"qsim {__import__('qsim').__version__}")
    assert run(monkeypatch) == 0


def test_a_command_that_fails_is_told(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page.write_text("```\nqsim targets nothing\n```\n")
    assert run(monkeypatch) == 1
    assert "exit status 2, not 0: qsim: there is no target" in capsys.readouterr().out
    page.write_text("```\necho hello\n```\n")
    with pytest.raises(ValueError, match="which nothing here can run"):
        run(monkeypatch)

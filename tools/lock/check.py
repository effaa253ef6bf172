"""Does the lock satisfy pyproject.toml, and hold nothing more? Offline, from the files alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

from tools.lock.sets import BUILD_DEPENDENT, RUN, SETS, TEST

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from tools.lock.pins import Pin
    from tools.lock.sets import LockedSet

_RENEW: Final = "run: make lock"


def problems() -> list[str]:
    """Return what is wrong with the lock, one line each; nothing where all is well."""
    missing = [f"{_label(one)} is missing; {_RENEW}" for one in SETS if not one.path.exists()]
    if missing:
        return missing
    found = [line for one in SETS for line in of_set(_label(one), one.requirements(), one.pins())]
    found += [f"{_label(one)} names a registry's address" for one in SETS if _has_address(one)]
    return found + differences(RUN.pins(), TEST.pins())


def of_set(label: str, asked: list[Requirement], pins: dict[str, list[Pin]]) -> list[str]:
    """Return what is wrong with one set: lacking, refused, unhashed or superfluous pins."""
    found = []
    for requirement in asked:
        name = canonicalize_name(requirement.name)
        if name == BUILD_DEPENDENT:
            found += [] if _is_exact(requirement) else [_not_exact(requirement)]
        elif name not in pins:
            found.append(f"{label} lacks {name}, pyproject.toml asks for {requirement}; {_RENEW}")
        for pin in pins.get(name, []):
            if not requirement.specifier.contains(pin.version, prereleases=True):
                found.append(
                    f"{label} has {name} {pin.version}, pyproject.toml asks for {requirement}; "
                    f"{_RENEW}"
                )
    every = [pin for several in pins.values() for pin in several]
    found += [f"{label} has no hash of {pin.name} {pin.version}" for pin in every if not pin.hashes]
    roots: set[str] = {canonicalize_name(requirement.name) for requirement in asked}
    found += [
        f"{label} has {name}, which nothing needs; {_RENEW}"
        for name in sorted(set(pins) - needed(roots, pins))
    ]
    return found


def needed(roots: set[str], pins: dict[str, list[Pin]]) -> set[str]:
    """Return the names that the roots ask for, directly or through others (uv's `via` comments)."""
    asks: dict[str, set[str]] = {}
    for name, several in pins.items():
        for asker in {word for pin in several for word in pin.via}:
            asks.setdefault(asker, set()).add(name)
    reached, todo = set(), set(roots)
    while todo:
        name = todo.pop()
        reached.add(name)
        todo |= asks.get(name, set()) - reached
    return reached


def differences(run: dict[str, list[Pin]], test: dict[str, list[Pin]]) -> list[str]:
    """Return the packages that `make run` would install otherwise than `make test`."""

    def facts(pins: list[Pin]) -> set[tuple[object, ...]]:
        return {(pin.version, pin.marker, pin.hashes) for pin in pins}

    return [
        f"{_label(RUN)} and {_label(TEST)} differ in {name}; {_RENEW}"
        for name in run
        if facts(run[name]) != facts(test.get(name, []))
    ]


def _label(one: LockedSet) -> str:
    return f"requirements/{one.path.name}"


def _has_address(one: LockedSet) -> bool:
    return "://" in one.path.read_text(encoding="utf-8")


def _is_exact(requirement: Requirement) -> bool:
    words = list(requirement.specifier)
    return len(words) == 1 and words[0].operator == "==" and "*" not in words[0].version


def _not_exact(requirement: Requirement) -> str:
    return f"{requirement.name} is not in the lock: pyproject.toml must pin it, not {requirement}"

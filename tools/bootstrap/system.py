"""What the set-up takes from the system: programs for co-simulation, and an empty environment."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from tools.bootstrap.say import run, say

if TYPE_CHECKING:
    from pathlib import Path

# Program, Debian's package.
TOOLS = (("iverilog", "iverilog"), ("g++", "g++"), ("make", "make"), ("perl", "perl"))


def apt_install(packages: list[str]) -> None:
    """Install Debian packages."""
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    run(*sudo, "apt-get", "update")
    run(*sudo, "apt-get", "install", "-y", "--no-install-recommends", *packages)


def lacking_tools() -> list[str]:
    """Return the Debian packages that co-simulation needs and this machine lacks."""
    packages = [package for program, package in TOOLS if shutil.which(program) is None]
    # cocotb loads Python as a shared library; Debian packs that apart.
    shared = ctypes.util.find_library(f"python3.{sys.version_info.minor}")
    if sys.base_prefix == "/usr" and shared is None:
        packages.append(f"libpython3.{sys.version_info.minor}")
    return packages


def create(venv: Path) -> None:
    """Create an empty environment; install Debian's venv module first where it is missing."""
    if venv.is_dir() and not venv.is_symlink():
        shutil.rmtree(venv)
    else:
        venv.unlink(missing_ok=True)
    probe = [sys.executable, "-c", "import ensurepip, venv"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        say("this Python has no venv module; installing Debian's python3-venv")
        apt_install(["python3-venv"])
    run(sys.executable, "-m", "venv", venv)

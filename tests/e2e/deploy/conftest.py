# SPDX-License-Identifier: MIT
"""Systems and images, made once for all tests that read them."""

import shutil
import tempfile
from pathlib import Path

import pytest

from support import debian
from support.server import BINARY, ROOT


@pytest.fixture(scope="session")
def place():
    """A folder in memory: a system is thousands of small files."""
    path = Path(tempfile.mkdtemp(prefix="chatbox-deploy-", dir="/dev/shm"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def system(place):
    """Debian 12 with what the program loads. Nothing of ours is in it."""
    path = place / "system"
    path.mkdir()
    return debian.unpack(path)


@pytest.fixture(scope="session")
def image(place, system):
    """The container's files, by the script that the Dockerfile calls, in Debian 12.
    The program is the one that was built outside."""
    work = system / "src"
    shutil.copytree(ROOT / "deploy", work / "deploy")
    (work / "build").mkdir()
    shutil.copy(BINARY, work / "build")
    debian.inside(system, "/src/deploy/docker/collect", "/image")
    made = place / "image"
    shutil.move(system / "image", made)
    shutil.rmtree(work)
    return made

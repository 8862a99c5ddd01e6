# SPDX-License-Identifier: MIT
"""What a page of docs/deployment/ tells a stranger to type."""

import re

from .server import ROOT

OUTSIDE = re.compile(r"apt-get |make\b")


def lines(page, block=1):
    """The commands of that block of it, without comments; those that fetch packages or
    build have been carried out by whoever calls."""
    text = (ROOT / "docs/deployment" / page).read_text()
    said = re.findall(r"(?m)^\n((?:    .*\n)+)", text)[block - 1]
    typed = [line.split("  #")[0].strip() for line in said.splitlines()]
    return [line for line in typed if not OUTSIDE.match(line)]


def follow(system, page, folder="/", block=1):
    """Types them, as root in that folder; what the last one has printed."""
    for line in lines(page, block):
        done = system.run("sh", "-ec", f"cd {folder}; {line}")
    return done.stdout.strip()

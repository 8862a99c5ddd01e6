# SPDX-License-Identifier: MIT
"""What a page of docs/deployment/ tells a stranger to type."""

import re

from .server import ROOT

OUTSIDE = re.compile(r"apt-get |make\b")


def lines(page):
    """The commands of its first block, without comments; those that fetch packages or
    build have been carried out by whoever calls."""
    text = (ROOT / "docs/deployment" / page).read_text()
    (block,) = re.findall(r"(?m)^\n((?:    .*\n)+)", text)[:1]
    typed = [line.split("  #")[0].strip() for line in block.splitlines()]
    return [line for line in typed if not OUTSIDE.match(line)]


def follow(system, page, folder="/"):
    """Types them, as root in that folder; what the last one has printed."""
    for line in lines(page):
        done = system.run("sh", "-ec", f"cd {folder}; {line}")
    return done.stdout.strip()

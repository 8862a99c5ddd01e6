# SPDX-License-Identifier: MIT
"""The compose files, and the process that a service of theirs is."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

from .server import ROOT

FOLDER = ROOT / "deploy/docker"
FILES = ("compose.yaml", "compose.mongo.yaml")
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
JAIL = Path(__file__).with_name("jail.py")


def service(name, of="chatbox"):
    return yaml.safe_load((FOLDER / name).read_text())["services"][of]


def instruction(word):
    """The last one of the Dockerfile with this word, its lines joined."""
    joined = re.sub(r"\\\n\s*", "", DOCKERFILE)
    return re.findall(rf"(?m)^\s*{word} (.*)$", joined)[-1]


def listed(word):
    """The same, as the list that it is."""
    return yaml.safe_load(instruction(word))


def user():
    return instruction("USER").split(":")[0]


def jailed(image, binds=(), command=None):
    """How a container of the image is started: its own command unless told."""
    command = listed("ENTRYPOINT") + (listed("CMD") if command is None else command)
    return ["unshare", "--mount", "--propagation", "private", sys.executable, str(JAIL),
            str(image / "root"), user(), f"{image / 'data'}:/data", "tmpfs:/tmp", *binds,
            "--", *command]


def probe(image, binds, env):
    """The container's HEALTHCHECK, once; the finished process."""
    check = yaml.safe_load(instruction("HEALTHCHECK").split("CMD ")[1])
    return subprocess.run([*jailed(image, binds, [])[:-1], *check],
                          env=env, capture_output=True, text=True, check=False, timeout=60)

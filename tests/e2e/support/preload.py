# SPDX-License-Identifier: MIT
"""Small C libraries that a server loads before everything else."""

import functools
import os
import subprocess
import tempfile
from pathlib import Path

FOLDER = tempfile.TemporaryDirectory(prefix="chatbox-preload-")


@functools.cache
def build(name):
    """Compiles support/NAME.c, once; the library's path."""
    source = Path(__file__).parent / f"{name}.c"
    out = Path(FOLDER.name) / f"{name}.so"
    subprocess.run([os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-shared", "-fPIC",
                    "-O1", "-fno-omit-frame-pointer", "-o", str(out), str(source)], check=True)
    return out


def preload_env(name):
    """What makes a server load it; sanitizers would like to come first."""
    options = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": str(build(name)),
            "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0".strip(":")}

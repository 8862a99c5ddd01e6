# SPDX-License-Identifier: MIT
"""Small C libraries that a server loads before everything else."""

import os
import subprocess
from pathlib import Path


def build(name, folder):
    """Compiles support/NAME.c into the folder; the library's path."""
    source = Path(__file__).parent / f"{name}.c"
    out = folder / f"{name}.so"
    subprocess.run([os.environ.get("CC", "cc"), "-D_GNU_SOURCE", "-shared", "-fPIC",
                    "-O1", "-o", str(out), str(source)], check=True)
    return out


def preload_env(library):
    """What makes a server load it; sanitizers would like to come first."""
    options = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": str(library),
            "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0".strip(":")}

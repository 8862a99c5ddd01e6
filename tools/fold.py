#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes src/store/fold.def: simple case folding (Unicode, CaseFolding.txt, the
rows C and S) as runs of characters that fold alike. Run with a Python whose
Unicode version is the one that is wanted; the file names it."""

import sys
import unicodedata


def fold(code):
    """The simple folding: one character to one character."""
    char = chr(code)
    for form in (char.casefold(), char.lower()):
        if len(form) == 1:
            return ord(form)
    return code


def runs():
    """[first, last, step, delta]: every step-th character from first to last."""
    found = []
    for code in range(0x80, sys.maxunicode + 1):
        delta = fold(code) - code
        if delta == 0:
            continue
        last = found[-1] if found else None
        if last and last[3] == delta and code - last[1] <= 2:
            step = code - last[1]
            if last[0] == last[1] or last[2] == step:
                last[1], last[2] = code, step
                continue
        found.append([code, code, 1, delta])
    return found


def main():
    print("/* SPDX-License-Identifier: MIT */")
    print(f"/* Unicode {unicodedata.unidata_version}; written by tools/fold.py.")
    print(" *")
    print(" *   FOLD(first, last, step, delta)")
    print(" *")
    print(" * Every step-th character from first to last becomes itself plus delta. In")
    print(" * order; ASCII is not in it. */")
    for first, last, step, delta in runs():
        print(f"FOLD(0x{first:04x}, 0x{last:04x}, {step}, {delta})")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""A database with a collection of the older form, for the page's tests: one
session of "user", its messages inside it, sealed in the old form, plain, one
that is only a file, and one that no key opens. Prints {"uri", "key", "texts"}
and lives until its standard input ends.
"""

import base64
import datetime
import json
import os
import pathlib
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "e2e"))
from support.mongoserver import MongoServer  # noqa: E402

KEY = "0123456789abcdefGHIJKLMNOPQRSTUV"  # ENCRYPTION_KEY as it stands
LOST = "a key that nobody has any longer"
BEGIN = datetime.datetime(2025, 3, 1, 12, 0)
TEXTS = ["How tall is the lighthouse?", "Forty metres, without the lamp.",
         "And with the lamp?", "Forty-three."]


def sealed(text, key=KEY):
    """No associated data, bare base64."""
    nonce = os.urandom(12)
    return base64.b64encode(
        nonce + AESGCM(key.encode()).encrypt(nonce, text.encode(), None)).decode()


def said(at, content):
    return {"content": content, "ts": BEGIN + datetime.timedelta(seconds=at),
            "sender": "ai" if at % 2 else "user"}


def session():
    contents = [sealed(TEXTS[0]), sealed(TEXTS[1]), TEXTS[2], TEXTS[3],
                sealed("a secret", LOST)]
    file = {**said(6, ""), "fileId": "f1", "fileUrl": "https://files.example/plan.pdf"}
    return {"_id": "5f" * 16, "uid": "user", "nm": "Lighthouses", "modelId": "",
            "msgs": [said(*pair) for pair in enumerate(contents)] + [file], "ts": BEGIN,
            "dur": 60, "totalTokens": 12, "_ts": BEGIN, "_mt": BEGIN}


def main():
    database = MongoServer()
    try:
        database.client.chat.sessions.insert_one(session())
        print(json.dumps({"uri": database.uri(), "key": KEY, "texts": TEXTS}),
              flush=True)
        sys.stdin.read()
    finally:
        database.stop()


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Files to upload, and where the server keeps them."""

import struct
import zlib

from .s3server import SHELF
from .tokens import token
from .waiting import wait_for


def png(size=0, seed=b"p"):
    """A picture of one pixel; with `size` as many bytes, behind its end."""
    def chunk(name, data):
        whole = name + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))
    one = (b"\x89PNG\r\n\x1a\n"
           + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
           + chunk(b"tEXt", b"seed\0" + seed)
           + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b""))
    return one + b"\0" * (size - len(one))


SAMPLES = {
    "image/png": png(), "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    "image/gif": b"GIF89a\1\0\1\0\0\0\0;", "image/webp": b"RIFF\x1a\0\0\0WEBPVP8L",
    "audio/mpeg": b"ID3\x04\0\0\0\0\0\0", "audio/wav": b"RIFF\x24\0\0\0WAVEfmt ",
    "audio/ogg": b"OggS" + b"\0" * 24 + b"OpusHead", "video/mp4": b"\0\0\0\x20ftypisom\0\0",
    "audio/mp4": b"\0\0\0\x20ftypM4A \0\0", "video/webm": b"\x1aE\xdf\xa3\x9fB\x82\x84webm",
    "application/pdf": b"%PDF-1.7\n", "text/plain": "gr\u00fc\u00df\n".encode(),
}


def post(client, data, name="a.bin", declared="application/octet-stream", field="file",
         path="/upload"):
    return client.post(path, files={field: (name, data, declared)})


def uploaded(client, data=None, **members):
    """What the server says of a file that it took."""
    answer = post(client, png() if data is None else data, **members)
    assert answer.status_code == 201, answer.text
    return answer.json()


def relative(server, url):
    """A link of an answer as the clients of the tests take it."""
    assert url.startswith(f"{server.prefix}/files/"), url
    return url[len(server.prefix):]


def kept(server):
    """The names of the files that the server keeps or writes."""
    return sorted(path.name for folder in SHELF.folders(server.env["DATA_DIR"])
                  for path in folder.iterdir() if not path.name.startswith("."))


def lose(server, file_id):
    """A file that the server has, past it."""
    (SHELF.folders(server.env["DATA_DIR"])[0] / file_id).unlink()


def settled(server):
    """The same, once nothing is being written or taken back."""
    def names():
        there = kept(server)
        return None if any(name.endswith(".partial") for name in there) else (there,)
    return wait_for(names, 10, "nothing is being written")[0]


def form_head(server, user, length, boundary="xYz", declared="image/png"):
    """The beginning of a request: its head, and its form up to the file's bytes."""
    part = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; "
            f"filename=\"a\"\r\nContent-Type: {declared}\r\n\r\n").encode()
    tail = f"\r\n--{boundary}--\r\n".encode()
    head = (f"POST {server.prefix}/upload HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {token(user)}\r\n"
            f"Content-Type: multipart/form-data; boundary={boundary}\r\n"
            f"Content-Length: {len(part) + length + len(tail)}\r\n\r\n").encode()
    return head + part, tail

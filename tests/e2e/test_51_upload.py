# SPDX-License-Identifier: MIT
"""Files of users: taken, kept, given back, and refused (protocol.md 1, `upload`, `files`)."""

import os
import threading
import time
import urllib.parse

import pytest

from support.checks import assert_error, assert_headers
from support.disk import limited, small_disk
from support.rawhttp import RawConn
from support.server import provider_env
from support.tokens import token
from support.uploads import (SAMPLES, form_head, kept, lose, png, post, relative, settled,
                             uploaded)
from support.waiting import PATIENCE, wait_for

MAX = 1 << 20
SETTINGS = {"UPLOAD_MAX_SIZE": "1MiB"}


@pytest.fixture
def client(server, user):
    return server.user(user)


# --- taken and given back

@pytest.mark.parametrize("kind", SAMPLES)
def test_a_file_comes_back_as_it_was(server, client, kind):
    """Its type is what its content says, whatever its sender says."""
    data = SAMPLES[kind]
    answer = post(client, data, name="../../etc/passwd", declared="text/html")
    assert answer.status_code == 201, answer.text
    assert_headers(answer)
    body = answer.json()
    assert set(body) == {"file_id", "file_url", "size", "mime_type"}
    assert body["mime_type"] == kind
    assert body["size"] == len(data)
    back = client.get(f"/files/{body['file_id']}")
    assert back.status_code == 200
    assert_headers(back)
    assert back.content == data
    assert back.headers["content-length"] == str(len(data))
    assert back.headers["content-type"].split(";")[0] == kind
    shown = kind.split("/")[0] in ("image", "audio", "video")
    assert back.headers["content-disposition"].startswith(
        "inline;" if shown else "attachment;")
    assert "passwd" not in back.headers["content-disposition"]


@pytest.mark.parametrize("path", ["{p}/upload", "/api/upload"])
def test_both_paths_take_files(server, client, path):
    url = f"http://127.0.0.1:{server.port}{path.format(p=server.prefix)}"
    assert uploaded(client, path=url)["mime_type"] == "image/png"
    with server.client() as nobody:
        assert_error(nobody.post(url, files={"file": png()}), 401, "UNAUTHORIZED")
    assert_error(client.get(url), 405, "METHOD_NOT_ALLOWED")


def test_between_types_that_look_alike_the_sender_decides(client):
    sound = SAMPLES["video/webm"]
    assert uploaded(client, sound, declared="audio/webm;codecs=opus")["mime_type"] == \
        "audio/webm"
    assert uploaded(client, sound, declared="image/png")["mime_type"] == "video/webm"


@pytest.mark.parametrize("size", [1, 511, 512, 513, 131072, 131073, MAX])
def test_files_of_every_size_are_whole(client, size):
    data = bytes(97 + at % 25 for at in range(size))
    body = uploaded(client, data)
    assert body["size"] == size
    assert client.get(f"/files/{body['file_id']}").content == data


def test_other_members_of_the_form_are_passed_over(client):
    answer = client.post("/upload", data={"note": "x" * 1000}, files={"file": png()})
    assert answer.status_code == 201


def test_a_form_that_comes_in_chunks_is_taken(client):
    def parts():
        form = (b"--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n"
                + png() + b"\r\n--b--")
        for at in range(len(form)):
            yield form[at:at + 1]
    answer = client.post("/upload", content=parts(),
                         headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 201, answer.text
    assert client.get(f"/files/{answer.json()['file_id']}").content == png()


def test_files_outlive_the_server(server, client):
    body = uploaded(client)
    server.stop()
    server.start()
    assert client.get(f"/files/{body['file_id']}").content == png()
    assert server.http.get(relative(server, body["file_url"])).content == png()


# --- refused

@pytest.mark.parametrize("data", [b"MZ\x90\0\3", b"\x7fELF\2\1\1", b"\0", b"gr\xfc\xdf",
                                  b"<html><script>", b"<svg onload=x>", b"PK\3\4",
                                  b"a" * 2000 + b"\0", b"a" * 2000 + b"\xc3"])
def test_types_that_are_not_allowed_are_refused(server, client, data):
    before = settled(server)
    assert_error(post(client, data, declared="image/png"), 415, "UNSUPPORTED_MEDIA_TYPE",
                 "file")
    wait_for(lambda: kept(server) == before, 5, "nothing of it stays")


def test_the_types_are_a_setting(spawn, fake, user):
    server = spawn({**provider_env(fake), "UPLOAD_TYPES": "image/*,application/zip"})
    client = server.user(user)
    assert uploaded(client, b"PK\3\4")["mime_type"] == "application/zip"
    assert uploaded(client)["mime_type"] == "image/png"
    assert_error(post(client, b"%PDF-1.7"), 415)
    svg = uploaded(client, b"<svg xmlns='x'>")
    back = client.get(f"/files/{svg['file_id']}")
    assert back.headers["content-disposition"].startswith("attachment;")


def test_an_empty_file_is_refused(client):
    assert_error(post(client, b""), 400, "BAD_REQUEST", "file")


def test_a_file_that_is_too_large_is_refused(server, client):
    before = settled(server)
    assert_error(post(client, png(MAX + 1)), 413, "PAYLOAD_TOO_LARGE")
    assert_error(post(client, png(MAX + 100000)), 413, "PAYLOAD_TOO_LARGE")
    assert uploaded(client, png(MAX))["size"] == MAX
    wait_for(lambda: len(kept(server)) == len(before) + 1, 5, "nothing else stays")


@pytest.mark.parametrize(("kind", "body", "status"), [
    ("application/json", b"{}", 415), (None, png(), 415),
    ("multipart/mixed; boundary=b", b"--b--", 415),
    ("multipart/form-data", b"--b--", 400),
    ("multipart/form-data; boundary=b", b"", 400),
    ("multipart/form-data; boundary=b", b"--b--", 400),
    ("multipart/form-data; boundary=b", b"no form", 400),
    ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--", 400),
    ("multipart/form-data; boundary=b",
     b"--b\r\nContent-Disposition: form-data; name=other\r\n\r\nx\r\n--b--", 400),
    ("multipart/form-data; boundary=b",
     b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\nx", 400),
    ("multipart/form-data; boundary=b",
     2 * b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n" + b"--b--", 400),
])
def test_what_is_no_form_with_a_file_is_refused(server, client, kind, body, status):
    headers = {"Content-Type": kind} if kind else {}
    before = settled(server)
    assert_error(client.post("/upload", content=body, headers=headers), status)
    wait_for(lambda: kept(server) == before, 5, "nothing of it stays")


def test_a_few_uploads_of_a_user_at_one_time(server, client, user):
    """The fifth waits for one of the four."""
    before, held = len(settled(server)), []
    for _ in range(4):
        conn = RawConn(server)
        conn.send(form_head(server, user, 900000)[0] + png(500000))
        held.append(conn)
    wait_for(lambda: len(kept(server)) == before + 4, 10, "four are under way")
    assert_error(post(client, png()), 429)
    assert uploaded(server.user(f"{user}-other"))
    held[0].close()
    wait_for(lambda: post(client, png()).status_code == 201, 10, "one has ended")
    for conn in held[1:]:
        conn.close()


# --- cut

def test_an_upload_that_is_cut_leaves_nothing(server, user):
    before, cut = settled(server), server.metric('chatbox_uploads_total{end="cut"}')
    head, _ = form_head(server, user, 900000)
    conn = RawConn(server)
    conn.send(head + png(500000))
    wait_for(lambda: any(name.endswith(".partial") for name in kept(server)), 10,
             "it is being written")
    conn.close()
    wait_for(lambda: kept(server) == before, 10, "nothing of it stays")
    wait_for(lambda: server.metric('chatbox_uploads_total{end="cut"}') > cut, 5,
             "it is counted")


def test_a_killed_server_has_whole_files_only(spawn, fake, user):
    server = spawn(provider_env(fake))
    client = server.user(user)
    whole = uploaded(client, png(300000))
    head, _ = form_head(server, user, 900000)
    conn = RawConn(server)
    conn.send(head + png(500000))
    wait_for(lambda: len(kept(server)) == 2, 10, "it is being written")
    server.kill9()
    conn.close()
    assert len(kept(server)) == 2
    server.start()
    assert kept(server) == [whole["file_id"]]
    assert client.get(f"/files/{whole['file_id']}").content == png(300000)


def test_a_server_that_stops_does_not_wait_for_a_slow_upload(spawn, fake, user):
    server = spawn(provider_env(fake))
    conn = RawConn(server)
    conn.send(form_head(server, user, 900000)[0] + png(500000))
    wait_for(lambda: len(kept(server)) == 1, 10, "it is being written")
    server.stop()
    assert kept(server) == []
    conn.close()


def test_a_large_file_takes_little_memory(spawn, fake, user):
    """Also when nobody reads it back as fast as it is sent. (AddressSanitizer keeps
    what is freed: less of it here.)"""
    options = f"{os.environ.get('ASAN_OPTIONS', '')}:quarantine_size_mb=4".strip(":")
    server = spawn({**provider_env(fake), "ASAN_OPTIONS": options})
    client = server.user(user)
    uploaded(client, png(1 << 20))
    before = server.memory()
    body = uploaded(client, png(64 << 20))
    assert server.memory() - before < 16 << 20
    slow = RawConn(server, rcvbuf=4096)
    slow.send(f"GET {server.prefix}/files/{body['file_id']} HTTP/1.1\r\nHost: x\r\n"
              f"Authorization: Bearer {token(user)}\r\n\r\n".encode())
    slow.read_exact(100)
    assert server.memory() - before < 16 << 20
    slow.close()
    whole = client.get(f"/files/{body['file_id']}")
    assert len(whole.content) == 64 << 20


@pytest.mark.sqlite
@pytest.mark.parametrize("kind", [limited, small_disk])
def test_a_full_disk_is_told_and_loses_nothing(spawn, fake, user, tmp_path, kind):
    """503, nothing half kept, and it works again when there is room. Where no file
    system can be mounted, a limit stands for it."""
    disk = kind(tmp_path) or limited(tmp_path)
    try:
        server = spawn({**provider_env(fake), **disk.env}, data=disk.folder)
        disk.watch(server)
        client = server.user(user)
        body = uploaded(client)
        names = settled(server)
        with disk:
            assert_error(post(client, png(500000)), 503, "SERVICE_UNAVAILABLE")
            assert client.get(f"/files/{body['file_id']}").content == png()
        assert server.wait_log("file_error")
        assert settled(server) == names
        assert uploaded(client, png(500000))
        server.stop()
    finally:
        disk.close()


# --- who may read

def test_a_link_opens_the_file_without_a_token(server, client):
    body = uploaded(client)
    url = relative(server, body["file_url"])
    answer = server.http.get(url)
    assert answer.status_code == 200
    assert answer.content == png()
    assert server.http.head(url).headers["content-length"] == str(len(png()))


def test_nobody_else_reads_it(server, client, user):
    body = uploaded(client)
    path = f"/files/{body['file_id']}"
    assert_error(server.http.get(path), 401, "UNAUTHORIZED")
    assert_error(server.user(f"{user}-other").get(path), 404, "NOT_FOUND")
    assert_error(server.user(f"{user}-other", roles=["admin"]).get(path), 404)
    unknown = path[:-1] + ("0" if path[-1] != "0" else "1")
    for other in (unknown, "/files/x", "/files/" + "0" * 64, "/files/%2e%2e"):
        assert_error(client.get(other), 404, "NOT_FOUND")


def test_a_forged_or_past_link_is_refused(server, client):
    body, other = uploaded(client), uploaded(client)
    url = relative(server, body["file_url"])
    path, query = url.split("?")
    sig = dict(urllib.parse.parse_qsl(query))
    later = str(int(sig["exp"]) + 1)
    for forged in (f"{path}?exp={later}&sig={sig['sig']}",
                   f"{path}?exp={sig['exp']}&sig={'0' * 32}",
                   f"{path}?exp={sig['exp']}&sig=", f"{path}?sig={sig['sig']}",
                   f"{path}?exp=-1&sig={sig['sig']}", f"{path}?exp=&sig={sig['sig']}",
                   f"/files/{other['file_id']}?{query}", f"/files/x?{query}"):
        assert_error(server.http.get(forged), 403, "FORBIDDEN")


def test_a_link_ends(spawn, fake, user):
    """By UPLOAD_URL_TTL."""
    server = spawn({**provider_env(fake), "UPLOAD_URL_TTL": "1m"})
    began = int(time.time())
    body = uploaded(server.user(user))
    query = dict(urllib.parse.parse_qsl(body["file_url"].split("?")[1]))
    assert began + 60 <= int(query["exp"]) <= time.time() + 62


def test_a_file_that_is_gone_is_not_found(server, client):
    body = uploaded(client)
    lose(server, body["file_id"])
    assert_error(client.get(f"/files/{body['file_id']}"), 404, "NOT_FOUND")
    assert_error(server.http.get(relative(server, body["file_url"])), 404)


@pytest.mark.parametrize(("asked", "part"), [
    ("bytes=0-0", (0, 1)), ("bytes=5-9", (5, 10)), ("bytes=90-", (90, 100)),
    ("bytes=-7", (93, 100)), ("bytes=-1000", (0, 100)), ("bytes=99-1000", (99, 100)),
    ("bytes=100-", None), ("bytes=9-5", None), ("bytes=0-1,5-6", None), ("bytes=-0", None),
    ("bytes=-", None), ("lines=1-2", None), ("bytes=a-b", None)])
def test_a_range_is_a_part_and_all_else_is_the_whole(client, asked, part):
    data = bytes(97 + n % 26 for n in range(100))
    body = uploaded(client, data)
    answer = client.get(f"/files/{body['file_id']}", headers={"Range": asked})
    assert answer.headers["accept-ranges"] == "bytes"
    if part is None:
        assert (answer.status_code, answer.content) == (200, data)
        return
    assert answer.status_code == 206
    assert answer.content == data[part[0]:part[1]]
    assert answer.headers["content-range"] == f"bytes {part[0]}-{part[1] - 1}/100"


def test_links_have_a_limit_of_their_own(spawn, fake, user):
    """A page with many pictures is not refused; forged links count as public."""
    server = spawn({**provider_env(fake), "PUBLIC_RATE_LIMIT": "30",
                    "PUBLIC_RATE_WINDOW": "1h", "USER_HTTP_RATE_LIMIT": "40",
                    "USER_HTTP_RATE_WINDOW": "1h", "ADMIN_RATE_LIMIT": "2",
                    "ADMIN_RATE_WINDOW": "1h"})
    client = server.user(user)
    first, second = (relative(server, uploaded(client)["file_url"]) for _ in range(2))
    asked = [server.http.get(first).status_code for _ in range(41)]
    assert set(asked[:35]) == {200}, "more than public requests"
    assert asked[-1] == 429
    assert server.http.get(second).status_code == 200
    forged = [server.http.get(f"{second}0").status_code for _ in range(31)]
    assert (forged[0], forged[-1]) == (403, 429)
    assert server.http.get(second).status_code == 200


# --- together

def test_many_at_once(server, user):
    """On every shard, uploads beside downloads; each has its own bytes back."""
    wrong = []

    def work(at):
        mine = server.user(f"{user}-{at}")
        for turn in range(5):
            data = png(1 + at * 40000 + turn, seed=b"%d %d" % (at, turn))
            back = mine.get(f"/files/{uploaded(mine, data)['file_id']}").content
            if back != data:
                wrong.append((at, turn))
        mine.close()
    threads = [threading.Thread(target=work, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60 * PATIENCE)
    assert not wrong
    assert server.metric('chatbox_uploads_total{end="stored"}') >= 40
    assert server.metric("chatbox_upload_bytes_total") > 0
    assert server.metric("chatbox_files_sent_total") >= 40

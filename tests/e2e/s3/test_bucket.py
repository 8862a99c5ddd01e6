# SPDX-License-Identifier: MIT
"""Files of users in S3: what is asked of it, and what it can do to us."""

import hashlib
import shutil
import threading

import httpx
import pytest
from cryptography import x509

from support.checks import assert_error
from support.rawhttp import RawConn
from support.s3proxy import S3Proxy, Tunnel
from support.s3server import KEY_ID, REGION, SECRET, S3Server, settings
from support.server import demo_env, free_port, minimal_env, run_cli
from support.uploads import form_head, kept, png, post, uploaded
from support.waiting import PATIENCE, wait_for
from support.ws import fresh

LARGE = 3 << 20


@pytest.fixture(scope="module")
def s3():
    with S3Server() as one:
        yield one


@pytest.fixture
def proxy(s3):
    with S3Proxy(s3.port) as one:
        yield one


@pytest.fixture
def bucket(s3):
    return s3.bucket(fresh("bucket").lower())


@pytest.fixture
def server(spawn, proxy, bucket):
    """Behind the proxy, with a bucket of its own."""
    return spawn({**demo_env(), **settings(bucket.name, proxy.url)})


@pytest.fixture
def client(server, user):
    return server.user(user)


def objects(bucket):
    return sorted(path.name for path in bucket.iterdir() if not path.name.startswith("."))


def staged(server):
    """What is gathered on the server's own disk, or was left there."""
    return [name for name in kept(server) if name.endswith(".partial")]


def failed(server, client, data=None):
    """An upload that S3 does not take: told, counted and logged, and nothing stays."""
    before = server.metric("chatbox_file_errors_total")
    assert_error(post(client, data or png()), 503, "SERVICE_UNAVAILABLE")
    assert server.metric("chatbox_file_errors_total") == before + 1
    wait_for(lambda: not staged(server), 5, "nothing of it stays")
    return server.wait_log("file_error")[-1]["why"]


# --- what is asked

def test_what_is_signed(server, client, proxy, bucket):
    """The host with its port, the time, and what is in the body."""
    body = uploaded(client, png(1000))
    assert server.wait_log("start", uploads="s3")
    assert objects(bucket) == [body["file_id"]]
    put, = proxy.asked("PUT")
    assert put.path == f"/{bucket.name}/{body['file_id']}"
    assert put.headers["host"] == f"127.0.0.1:{proxy.port}"
    assert put.headers["x-amz-content-sha256"] == hashlib.sha256(png(1000)).hexdigest()
    assert put.headers["content-length"] == "1000"
    sign = put.headers["authorization"]
    assert f"Credential={KEY_ID}/" in sign and "/eu-test-1/s3/aws4_request" in sign
    names = sign.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"host", "x-amz-content-sha256", "x-amz-date"} <= set(names)
    assert client.get(f"/files/{body['file_id']}", headers={"Range": "bytes=5-9"}).content \
        == png(1000)[5:10]
    assert proxy.asked("GET")[-1].headers["range"] == "bytes=5-9"


def test_without_an_endpoint_the_bucket_is_a_part_of_amazons_host(spawn, authority, user):
    """Behind TLS: files come and go, and the list of them is signed, too."""
    domain = f"s3.{REGION}.amazonaws.com"
    host = f"a-bucket.{domain}"
    with (S3Server(authority.pair(x509.DNSName(host)), domain) as amazon,
          Tunnel(amazon.port) as tunnel):
        folder = amazon.bucket("a-bucket")
        server = spawn({**demo_env(), **settings("a-bucket", None),
                        "SSL_CERT_FILE": str(authority.file), "https_proxy": tunnel.url})
        client = server.user(user)
        body = uploaded(client, png(LARGE))
        assert objects(folder) == [body["file_id"]]
        assert client.get(f"/files/{body['file_id']}").content == png(LARGE)
        done = run_cli("erase-user", user, "--yes", env=server.env)
        assert done.returncode == 0 and objects(folder) == [], done.all
        assert set(tunnel.hosts) == {f"{host}:443"}


def test_the_secret_is_in_a_file_and_nowhere_else(spawn, proxy, bucket, user, tmp_path):
    """Not in the log either, not even of a failure."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    server = spawn({**demo_env(), **settings(bucket.name, proxy.url),
                    "S3_SECRET_ACCESS_KEY": None, "S3_SECRET_ACCESS_KEY_FILE": str(file)})
    client = server.user(user)
    uploaded(client)
    proxy.fault("refuse", "PUT", status=403, code="SignatureDoesNotMatch")
    assert failed(server, client) == "SignatureDoesNotMatch (403)"
    server.stop()
    assert SECRET not in server.log_text() and KEY_ID not in server.log_text()


# --- the start

@pytest.mark.parametrize(("wrong", "word"), [
    ({"S3_BUCKET": "not-there"}, "NoSuchBucket (404)"),
    ({"S3_SECRET_ACCESS_KEY": SECRET[::-1]}, "SignatureDoesNotMatch (403)"),
    ({"S3_ACCESS_KEY_ID": "somebody"}, "XAdminUserNotFound (404)"),  # S3: another word
    ({"S3_REGION": "us-east-1"}, "AuthorizationHeaderMalformed (400)")])
def test_a_bucket_that_says_no_ends_the_start(s3, bucket, tmp_path, wrong, word):
    env = {**minimal_env(), "DATA_DIR": str(tmp_path), "SERVER_PORT": str(free_port()),
           **settings(bucket.name, s3.endpoint), **wrong}
    assert run_cli("check", env=env).returncode == 0, "check asks nobody"
    result = run_cli("serve", env=env)
    assert result.returncode == 1, result.all
    assert f"The bucket of uploads cannot be used: {word}." in result.all
    assert SECRET not in result.all and SECRET[::-1] not in result.all


@pytest.mark.parametrize("wrong", [{"S3_BUCKET": "a/b"}, {"S3_BUCKET": "a b"},
                                   {"S3_REGION": "eu:s3"}, {"S3_REGION": "eu/1"}])
def test_a_name_that_would_be_another_address_is_refused(wrong):
    env = {**minimal_env(), **settings("b", "http://127.0.0.1:9"), **wrong}
    result = run_cli("check", env=env)
    assert result.returncode == 78 and list(wrong)[0] in result.all, result.all


def test_a_server_starts_without_s3_and_finds_it_later(spawn, user):
    """It says so; uploads are refused until then, all else works."""
    with S3Server() as away:
        folder = away.bucket("bucket-later")
        away.stop()
        server = spawn({**demo_env(), **settings(folder.name, away.endpoint)})
        assert "cannot be reached" in server.wait_log("file_error", level="warn")[0]["msg"]
        client = server.user(user)
        assert "connect" in failed(server, client)
        assert server.http.get("/readyz").status_code == 200
        away.start()
        assert uploaded(client)["file_id"] in objects(folder)


# --- faults that pass

@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (500, "InternalError"),
                                              (429, "TooManyRequests"), (408, "")])
@pytest.mark.parametrize("method", ["PUT", "HEAD", "GET"])
def test_once_is_tried_again(client, proxy, method, status, code):
    fault = proxy.fault("refuse", method, status=status, code=code)
    body = uploaded(client, png(1000))
    assert client.get(f"/files/{body['file_id']}").content == png(1000)
    fault.wait_struck()
    assert len(proxy.asked(method)) == 2 + (method == "GET"), "and the look at the start"


@pytest.mark.parametrize(("kind", "size"), [("cut_request", 0), ("cut_request", LARGE // 2),
                                            ("lost", 0), ("cut_answer", 0)])
def test_an_upload_that_is_cut_on_its_way_is_sent_again(client, proxy, bucket, kind, size):
    fault = proxy.fault(kind, "PUT", size=size)
    body = uploaded(client, png(LARGE))
    fault.wait_struck()
    assert (bucket / body["file_id"]).read_bytes() == png(LARGE)


@pytest.mark.parametrize(("kind", "size"), [("cut_answer", 0), ("cut_answer", 1000),
                                            ("lost", 0)])
def test_a_part_that_is_cut_on_its_way_is_asked_for_again(client, proxy, kind, size):
    body = uploaded(client, png(LARGE))
    fault = proxy.fault(kind, "GET", times=2, size=size)
    assert client.get(f"/files/{body['file_id']}").content == png(LARGE)
    fault.wait_struck(2)


# --- faults that stay

@pytest.mark.parametrize(("kind", "options", "why"), [
    ("refuse", {"status": 503, "code": "SlowDown"}, "SlowDown (503)"),
    ("refuse", {"status": 403, "code": "AccessDenied"}, "AccessDenied (403)"),
    ("refuse", {"status": 404, "code": "NoSuchBucket"}, "NoSuchBucket (404)"),
    ("refuse", {"status": 507, "code": "<&\n\"x"}, "status 507"),
    ("refuse", {"status": 301, "code": "PermanentRedirect"}, "PermanentRedirect (301)"),
    ("cut_request", {"size": 1000}, None), ("lost", {}, None)])
def test_an_upload_that_s3_does_not_take(server, client, proxy, bucket, kind, options, why):
    """Also what S3 has and did not say is taken back."""
    fault = proxy.fault(kind, "PUT", times=None, **options)
    said = failed(server, client, png(LARGE))
    assert said == why if why else said
    passes = options.get("status", 500) >= 500
    assert fault.struck == (3 if passes else 1)
    wait_for(lambda: objects(bucket) == [], 10, "nothing of it stays")
    proxy.clear()
    assert uploaded(client)["file_id"] in objects(bucket)


def test_a_file_that_s3_does_not_give(server, client, proxy):
    body = uploaded(client, png(LARGE))
    path = f"/files/{body['file_id']}"
    proxy.fault("refuse", "HEAD", times=None, status=503, code="SlowDown")
    assert_error(client.get(path), 503, "SERVICE_UNAVAILABLE")
    assert server.wait_log("file_error")[-1]["why"] == "status 503", "HEAD has no body"
    proxy.clear()
    fault = proxy.fault("cut_answer", "GET", times=None, size=1000)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(path)
    assert fault.struck == 3
    proxy.clear()
    assert client.get(path).content == png(LARGE)


@pytest.mark.parametrize("size", [1, LARGE])
def test_an_answer_that_is_not_what_was_asked_for(server, client, proxy, size):
    """Longer or shorter than the part: nothing of it is passed on."""
    body = uploaded(client, b"x" * size)
    proxy.fault("refuse", "GET", times=None, status=206, code="-" * 100)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get(f"/files/{body['file_id']}")
    assert "than" in server.wait_log("file_error")[-1]["why"]


def test_the_bucket_goes(server, client, bucket):
    body = uploaded(client)
    shutil.rmtree(bucket)
    assert failed(server, client) == "NoSuchBucket (404)"
    assert_error(client.get(f"/files/{body['file_id']}"), 404, "NOT_FOUND")
    bucket.mkdir()
    assert uploaded(client)


# --- waiting

def test_nobody_waits_for_s3_but_who_asked(server, client, proxy, bucket):
    """With more uploads under way than there are threads that wait."""
    fault = proxy.fault("hang", "PUT", times=None)
    answers = []

    def upload(at):
        with server.user(f"u{at // 4}") as one:
            one.timeout = 60 * PATIENCE
            answers.append(post(one, png(1000)).status_code)
    threads = [threading.Thread(target=upload, args=(at,)) for at in range(20)]
    for thread in threads:
        thread.start()
    fault.wait_struck(16)
    for path in ("/healthz", "/readyz"):
        assert server.http.get(path).status_code == 200
    assert client.get("/sessions").status_code == 200
    proxy.clear()
    for thread in threads:
        thread.join(60 * PATIENCE)
    assert answers == [201] * 20
    assert len(objects(bucket)) == 20


def test_a_server_that_stops_does_not_wait_for_s3(spawn, proxy, bucket, user):
    server = spawn({**demo_env(), **settings(bucket.name, proxy.url),
                    "SHUTDOWN_TIMEOUT": "1s"})
    conn = RawConn(server)
    head, tail = form_head(server, user, 1000)
    fault = proxy.fault("hang", "PUT", times=None)
    conn.send(head + png(1000) + tail)
    fault.wait_struck()
    server.stop(expect=None)
    assert kept(server) == []
    conn.close()


# --- a user who goes

def test_a_user_is_erased_from_a_bucket_of_many_files(server, user, proxy, bucket):
    """More than one page of them; nobody else's, and nothing that is not ours."""
    mine, other = server.user(user), server.user(f"{user}-other")
    files = [uploaded(mine)["file_id"] for _ in range(2)]
    rest = [uploaded(other)["file_id"]]
    for at in range(2100):
        name = f"{at:064x}" if at % 2 else f"a&b <{at}>"
        (bucket / name).write_bytes(b"x")
        rest.append(name)
    done = run_cli("erase-user", user, "--yes", env=server.env)
    assert done.returncode == 0 and "files: 2\n" in done.stdout, done.all
    assert objects(bucket) == sorted(rest)
    assert len([one for one in proxy.asked("GET") if "continuation-token" in one.path]) == 4
    assert mine.get(f"/files/{files[0]}").status_code == 404


def test_a_user_is_not_erased_when_s3_is_away(server, user, proxy):
    """It says so, and can be run again."""
    uploaded(server.user(user))
    fault = proxy.fault("refuse", "GET", times=None, status=503, code="SlowDown")
    done = run_cli("erase-user", user, "--yes", env=server.env)
    assert done.returncode == 1
    assert "Files of the user cannot be read: SlowDown (503)." in done.stderr
    fault.release()
    proxy.fault("refuse", "DELETE", status=403, code="AccessDenied")
    done = run_cli("erase-user", user, "--yes", env=server.env)
    assert done.returncode == 1 and "run it again" in done.stderr
    done = run_cli("erase-user", user, "--yes", env=server.env)
    assert done.returncode == 0 and "files: 1\n" in done.stdout, done.all

# SPDX-License-Identifier: MIT
"""The container's image, as the Dockerfile's scripts lay it out in Debian 12, and what
the compose files make of it, started as an engine would: its user, its root that nothing
is written to, secrets as files."""

import os
import re
import stat
import subprocess

import pytest

from support.composefile import (DOCKERFILE, FILES, FOLDER, instruction, listed, probe,
                                 service, user)
from support.container import Container
from support.mailserver import MailServer
from support.mongoserver import MongoServer
from support.s3server import KEY_ID, REGION, S3Server
from support.server import ROOT, run_cli
from support.uploads import uploaded

@pytest.fixture
def container(image, tmp_path):
    return Container(image, tmp_path)


# --- the image

def files(root):
    return [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]


def test_nothing_can_be_run_in_the_image_but_the_program(image):
    runnable = [path for path in files(image / "root") if os.access(path, os.X_OK)
                and ".so" not in path.name]
    assert [path.relative_to(image / "root").as_posix() for path in runnable] == [
        "usr/bin/chatbox"]


def test_the_image_is_small_and_says_what_is_in_it(image):
    assert sum(path.stat().st_size for path in files(image / "root")) < 80 << 20
    recorded = image / "root/var/lib/dpkg/status.d"
    for package in ("libc6", "libssl3", "libcurl4", "libmongoc-1.0-0", "ca-certificates"):
        assert f"Package: {package}\n" in (recorded / package).read_text()
        assert (image / "root/usr/share/doc" / package / "copyright").stat().st_size > 0


def test_nothing_in_the_image_is_the_users_but_the_data(image):
    assert {path.stat().st_uid for path in (image / "root").rglob("*")
            if not path.is_symlink()} == {0}
    data = (image / "data").stat()
    assert (str(data.st_uid), stat.S_IMODE(data.st_mode)) == (user(), 0o700)


def test_the_dockerfile_runs_the_scripts_that_are_tried_here():
    steps = [line.split()[1] for line in DOCKERFILE.splitlines() if line.startswith("RUN ")]
    assert steps == ["deploy/docker/build", "deploy/docker/collect"]
    assert user() in (FOLDER / "collect").read_text()
    assert f"--chown={user()}:{user()} /image/data /data" in DOCKERFILE
    assert instruction("FROM") == "scratch" and ":latest" not in DOCKERFILE


# --- a container

def test_a_container_answers_a_chat_and_keeps_it(spawn, connect, container):
    server = container.start(spawn)
    chat = connect(server)
    turn = chat.turn("hello")
    assert turn.finish == "stop" and turn.text
    session = chat.session
    server.stop()
    server.start()
    kept = server.user(chat.user).get(f"/sessions/{session}").json()
    assert turn.text in [message["content"] for message in kept["messages"]]


def test_the_program_has_no_rights_in_its_container(spawn, container):
    server = container.start(spawn)
    with open(f"/proc/{server.process.pid}/status") as file:
        status = dict(line.split(":\t", 1) for line in file.read().splitlines())
    assert status["Uid"].split() == [user()] * 4 and status["Groups"].split() == []
    assert status["NoNewPrivs"] == "1" and int(status["CapEff"], 16) == 0


def test_the_probe_of_the_image_says_whether_it_lives(spawn, container):
    env = {name: value for name, value in container.settings().items() if value}
    before = probe(container.image, container.binds, env)
    server = container.start(spawn)
    after = probe(container.image, container.binds, env)
    assert before.returncode == 1, before
    assert after.returncode == 0 and after.stdout.startswith("healthy: "), after
    server.stop()


def test_with_mongodb_and_s3_it_answers_from_there(spawn, connect, image, tmp_path):
    container = Container(image, tmp_path, "compose.mongo.yaml")
    with MongoServer() as database, S3Server() as s3, MailServer() as mails:
        bucket = s3.bucket(service("compose.mongo.yaml")["environment"]["S3_BUCKET"])
        server = container.start(spawn, MONGO_URI=database.uri(), STORE=None,
                                 S3_ENDPOINT=s3.endpoint, S3_REGION=REGION,
                                 S3_ACCESS_KEY_ID=KEY_ID, SMTP_HOST="127.0.0.1",
                                 SMTP_PORT=str(mails.port))
        chat = connect(server)
        assert chat.turn("hello").finish == "stop"
        chat.send("help_request")
        mail, = mails.wait()
        assert mail.to == ["operators@example.com"]
        assert server.wait_log("start", store="mongo")
        client = server.user(chat.user)
        file = uploaded(client)["file_id"]
        assert client.get(f"/files/{file}").content == (bucket / file).read_bytes()
        server.stop()


# --- the compose files

JUDGE = """import sys; from compose_spec import PyCompose
PyCompose.from_yaml(sys.stdin.read())"""


def judged(text):
    """What is wrong with a compose file by the specification; None: nothing."""
    done = subprocess.run([ROOT / ".venv-deploy/bin/python", "-c", JUDGE], input=text,
                          capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else None


@pytest.mark.parametrize("name", FILES)
def test_a_compose_file_is_what_the_specification_wants(name):
    text = (FOLDER / name).read_text()
    assert judged(text) is None
    assert "read_onli" in judged(text.replace("read_only:", "read_onli:")), "it sees"


@pytest.mark.parametrize("name", FILES)
def test_every_name_in_a_compose_file_is_a_setting(name):
    """Also those of the examples that are commented out."""
    known = set(re.findall(r"[A-Z][A-Z0-9_n]+", run_cli("config", "--help").stdout))
    names = re.findall(r"(?m)^ +(?:# )?([A-Z][A-Z0-9_]+): ", (FOLDER / name).read_text())
    assert len(names) > 5
    assert {re.sub(r"_\d+_", "_n_", one) for one in names} <= known


@pytest.mark.parametrize("name", FILES)
def test_check_accepts_what_a_compose_file_sets(name, container):
    """Req 6.4: with the secrets it names, and not without them."""
    env = dict(service(name)["environment"])
    for setting, value in env.items():
        if setting.endswith("_FILE"):
            env[setting] = str(container.secrets / value.removeprefix("/run/secrets/"))
    result = run_cli("check", env=env)
    assert result.returncode == 0 and "nearly" not in result.stderr, result.all
    missing = run_cli("check", env={**env, "JWT_SECRET_FILE": "/no/such/file"})
    assert missing.returncode == 78, missing.all


def test_the_front_of_the_compose_file_is_the_shipped_one():
    """What is put in for the address of chatbox stands there, once, and so does where the
    certificate is looked for; chatbox believes that container."""
    front = service("compose.mongo.yaml", of="nginx")
    shipped = (ROOT / "deploy/nginx/chatbox.conf").read_text()
    old, new = re.search("s/(.*?)/(.*?)/", front["command"][2]).groups()
    assert shipped.count(old) == 1 and new == "server chatbox:8080;"
    folder = front["volumes"][1].split(":")[1]
    assert f"ssl_certificate {folder}/" in shipped
    assert (FOLDER / front["volumes"][0].split(":")[0]).samefile(
        ROOT / "deploy/nginx/chatbox.conf")
    chatbox = service("compose.mongo.yaml")["environment"]
    assert chatbox["TRUSTED_PROXIES"] == front["networks"]["front"]["ipv4_address"]


def test_chatbox_has_the_key_and_the_bucket_that_the_store_of_files_has():
    """And waits until the bucket is there; nobody else reaches it."""
    chatbox, minio, bucket = (service("compose.mongo.yaml", of=name)
                              for name in ("chatbox", "minio", "bucket"))
    env, secret = chatbox["environment"], "s3_secret_access_key"
    root = dict(one.split("=", 1) for one in minio["environment"])
    assert env["S3_ACCESS_KEY_ID"] == root["MINIO_ROOT_USER"]
    assert env["S3_SECRET_ACCESS_KEY_FILE"] == root["MINIO_ROOT_PASSWORD_FILE"]
    made = bucket["entrypoint"][2]
    assert f"set files {env['S3_ENDPOINT']} {env['S3_ACCESS_KEY_ID']} " in made
    assert made.endswith(f"mb --ignore-existing files/{env['S3_BUCKET']}")
    assert all(secret in one["secrets"] for one in (chatbox, minio, bucket))
    assert chatbox["depends_on"]["bucket"] == {"condition": "service_completed_successfully"}
    assert minio["networks"] == bucket["networks"] == ["files"] and "ports" not in minio
    assert minio["volumes"][0].endswith(f":{minio['command'][1]}")


def test_mail_goes_to_the_catcher_and_its_page_is_this_machines():
    chatbox, mailpit = (service("compose.mongo.yaml", of=name)
                        for name in ("chatbox", "mailpit"))
    assert chatbox["environment"]["SMTP_HOST"] == "mailpit"
    assert "mail" in chatbox["networks"] and "mail" in mailpit["networks"]
    assert mailpit["ports"] == ["127.0.0.1:8025:8025"]


@pytest.mark.parametrize("name", FILES)
def test_the_container_is_as_closed_as_the_test(name):
    chatbox = service(name)
    assert chatbox["read_only"] and chatbox["cap_drop"] == ["ALL"]
    assert chatbox["security_opt"] == ["no-new-privileges:true"]
    assert chatbox["volumes"] == ["data:/data"] and listed("VOLUME") == ["/data"]

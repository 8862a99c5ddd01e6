# SPDX-License-Identifier: MIT
"""The unit, by a real systemd that has booted in a Debian of its own, and by what
`systemd-analyze` finds in it."""

import re
import shutil
import socket
import struct
import subprocess
import time

import httpx
import pytest

from support import debian
from support.booted import System
from support.server import BINARY, ROOT, free_port
from support.pages import follow, lines
from support.preload import build
from support.service import FOLDER, UNIT, Service, at_another_port, knows
from support.tlsmodel import HERE, Authority
from support.tokens import SECRET, token
from support.waiting import wait_for
from support.ws import Chat

KEY = "k1:" + "A" * 43 + "="
NEW_KEY = "k2:" + "E" * 43 + "="


@pytest.fixture(scope="module")
def booted(place):
    """A Debian in which somebody did what docs/deployment/systemd.md says, line by line,
    after building; `token` is what the last line printed."""
    root = place / "booted"
    root.mkdir()
    debian.unpack(root)
    shutil.copytree(ROOT / "deploy", root / "src/deploy")
    (root / "src/build").mkdir()
    shutil.copy(BINARY, root / "src/build")
    with System(root) as system:
        system.port = at_another_port(system)
        system.token = follow(system, "systemd.md", "/src")
        yield system


@pytest.fixture
def service(booted):
    one = Service(booted)
    yield one
    one.remove()


# --- the file

def test_the_unit_is_well_formed():
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", UNIT], check=False,
                          capture_output=True, text=True)
    said = [line for line in (done.stdout + done.stderr).splitlines()
            if "is not executable" not in line]
    assert said == []


def test_the_unit_is_hardened():
    """What systemd-analyze holds to be the exposure, of 10."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", UNIT],
                          capture_output=True, text=True, check=False)
    figure = re.search(r"Overall exposure level for chatbox.service: ([\d.]+)", done.stdout)
    assert float(figure[1]) <= 1.5, done.stdout


# --- running

def test_a_stranger_who_follows_the_page_has_a_token_that_is_good(booted):
    """Req 6.3: and its service is enabled and runs."""
    assert booted.ctl("is-enabled", "chatbox").stdout.strip() == "enabled"
    knows(booted.port, booted.token)



def test_the_unit_starts_from_the_shipped_files_and_answers_a_chat(service, booted):
    assert service.start(), booted.journal("chatbox")
    chat = Chat(service)
    assert chat.turn("hello").finish == "stop"
    chat.close()
    probe = booted.run("chatbox", "health", "--config", "/etc/chatbox/chatbox.yaml")
    assert probe.stdout.startswith("healthy: ")


def test_what_was_stored_is_there_after_a_restart(service, booted):
    assert service.start()
    chat = Chat(service)
    chat.turn("hello")
    chat.close()
    booted.ctl("restart", "chatbox")
    wait_for(service.settled, 15, "it listens again")
    again = Chat(service, chat.user, session_id=chat.session)
    assert again.session == chat.session
    again.close()


def test_a_stop_is_clean_and_a_reload_is_taken(service, booted):
    assert service.start()
    booted.ctl("reload", "chatbox")
    wait_for(lambda: '"event":"reload"' in booted.journal("chatbox"), 10, "it has reloaded")
    booted.ctl("stop", "chatbox")
    assert (service.status(), booted.show("chatbox", "Result")) == (0, "success")


def test_the_process_is_nobody_and_has_its_data_alone(service, booted):
    assert service.start()
    pid = booted.show("chatbox", "MainPID")
    status = dict(line.split(":\t", 1) for line in
                  booted.run("cat", f"/proc/{pid}/status").stdout.splitlines())
    assert int(status["Uid"].split()[0]) >= 61184, "a dynamic user"
    assert int(status["CapBnd"], 16) == 0 and status["Seccomp"] == "2"
    folder = booted.run("stat", "--format=%a", "/var/lib/private/chatbox").stdout
    assert folder.strip() == "700"
    assert booted.run("stat", "--format=%a", "/var/lib/private/chatbox/chatbox.db"
                      ).stdout.strip() == "600"


def test_the_page_s_lines_for_another_secret_start_it_again(service, booted):
    """Req 6.3: with the drop-in as it is shipped, and no file that they do not make."""
    for name in ("encryption-keys", "llm-api-key"):
        (service.etc / "secrets" / name).unlink(missing_ok=True)
    service.dropin("data.conf", "[Service]\nStateDirectory=chatbox-paged\n"
                   "Environment=DATA_DIR=%S/chatbox-paged")
    follow(booted, "systemd.md", "/src", block=2)
    wait_for(service.settled, 15, "it listens, or has ended")
    assert service.state() == "active", booted.journal("chatbox")
    pid = booted.show("chatbox", "MainPID")
    assert "ENCRYPTION_KEYS_FILE=" in booted.run("cat", f"/proc/{pid}/environ").stdout


def test_more_secrets_come_by_the_shipped_drop_in(service, booted):
    """With the lines in force that fit what was made."""
    service.secret("encryption-keys", KEY)
    service.secret("llm-api-key", "sk-9f3b1c77d2e84a06")
    service.configure()
    service.dropin("secrets.conf", (FOLDER / "secrets.conf").read_text().replace(
        "# Environment=LLM_", "Environment=LLM_"))
    service.dropin("data.conf", "[Service]\nStateDirectory=chatbox-sealed\n"
                   "Environment=DATA_DIR=%S/chatbox-sealed")
    assert service.start(), booted.journal("chatbox")
    pid = booted.show("chatbox", "MainPID")
    environment = booted.run("cat", f"/proc/{pid}/environ").stdout
    assert SECRET not in environment and KEY not in environment
    for name in ("ENCRYPTION_KEYS", "LLM_PROVIDER_1_API_KEY"):
        assert f"{name}_FILE=/run/credentials/chatbox.service/" in environment


def test_commands_on_the_storage_run_as_its_user(service, booted):
    """The line of docs/deployment/systemd.md, beside the running server."""
    page = (ROOT / "docs/deployment/systemd.md").read_text()
    command = re.search(r"`(systemd-run .* backup [^`]*)`", page)[1].split()
    assert service.start()
    done = booted.run(*command)
    assert "sessions: " in done.stdout, done
    assert booted.run("stat", "--format=%a", "/var/lib/chatbox/copy.db").stdout.strip() == "600"


def test_the_key_is_changed_by_the_line_of_the_page(service, booted):
    """Req 6.3: and what was sealed with the old one is read without it."""
    service.secret("encryption-keys", KEY)
    service.dropin("secrets.conf", (FOLDER / "secrets.conf").read_text())
    assert service.start(), booted.journal("chatbox")
    chat = Chat(service)
    chat.turn("hello")
    chat.close()
    for keys in (f"{NEW_KEY},{KEY}", NEW_KEY):
        service.secret("encryption-keys", keys)
        booted.ctl("restart", "chatbox")
        wait_for(service.settled, 15, "it listens again")
        for line in lines("systemd.md", block=3):
            booted.run("sh", "-ec", line)
    again = Chat(service, chat.user, session_id=chat.session)
    with_old = httpx.get(service.url(f"/sessions/{chat.session}"), trust_env=False, headers={
        "Authorization": f"Bearer {token(chat.user)}"}).json()["messages"]
    assert again.session == chat.session and with_old[0]["content"] == "hello"
    again.close()


# --- not running

def fails(service, booted, status, *words):
    """It ends with that status, says one sentence, and stays down."""
    booted.ctl("start", "chatbox", check=False)
    wait_for(lambda: service.state() == "failed", 15, "it has failed for good")
    assert service.status() == status, booted.journal("chatbox")
    errors = wait_for(service.errors, 10, "the journal has it")
    assert all(word in errors[-1] for word in words), errors
    assert len(set(errors)) == 1, errors


@pytest.mark.parametrize("value,why", [
    ("weak", "is shorter"), ("REPLACE_WITH_one_of_32_bytes_or_more_please", "a placeholder"),
    ("", "is required")], ids=["weak", "placeholder", "empty"])
def test_a_secret_that_is_no_good_is_named_and_not_tried_again(service, booted, value, why):
    """Req 6.4: and it is not shown."""
    service.secret("jwt-secret", value)
    fails(service, booted, 78, "JWT_SECRET", why)
    assert booted.show("chatbox", "NRestarts") == "0"


def test_a_secret_that_is_missing_is_named(service, booted):
    """Req 6.4."""
    (service.etc / "secrets/jwt-secret").unlink()
    fails(service, booted, 78, "JWT_SECRET", "does not exist")


def test_a_secret_that_its_user_may_not_read_is_named(service, booted):
    """Req 6.4: a path of root's instead of a credential."""
    (service.etc / "roots-own").write_text(SECRET)
    (service.etc / "roots-own").chmod(0o600)
    service.dropin("one.conf", "[Service]\nEnvironment=JWT_SECRET_FILE=/etc/chatbox/roots-own")
    fails(service, booted, 78, "JWT_SECRET", "roots-own", "permission denied")


@pytest.mark.parametrize("secret,name", [
    ("encryption-keys", "ENCRYPTION_KEYS"), ("llm-api-key", "LLM_PROVIDER_1_API_KEY"),
    ("mongo-uri", "MONGO_URI")])
@pytest.mark.parametrize("template,why", [(False, "does not exist"), (True, "a placeholder")],
                         ids=["missing", "placeholder"])
def test_secrets_of_a_drop_in_are_named_as_well(service, booted, secret, name, template, why):
    """Req 6.4, 6.5: the template of each is no secret."""
    (service.etc / "secrets" / secret).unlink(missing_ok=True)
    if template:
        service.secret(secret, (ROOT / "deploy/secrets" / secret).read_text())
    service.dropin("one.conf", f"[Service]\nEnvironment={name}_FILE=%d/chatbox_{secret}")
    fails(service, booted, 78, name, why)


@pytest.mark.parametrize("days", [-1000, 1000])
def test_a_clock_that_is_far_off_keeps_it_from_nothing_but_tokens(service, booted, days):
    """Of the right time, which are not good then."""
    shutil.copy(build("clockshift"), booted.root / "usr/lib/clockshift.so")
    (service.etc / "shift").write_bytes(struct.pack("qq", days * 24 * 3600, 0))
    service.dropin("clock.conf", "[Service]\nEnvironment=LD_PRELOAD=/usr/lib/clockshift.so "
                   "CLOCK_SHIFT=/etc/chatbox/shift")
    assert service.start(), booted.journal("chatbox")
    answer = httpx.get(service.url("/sessions"), trust_env=False, headers={
        "Authorization": f"Bearer {token('u', nbf=int(time.time()) - 60)}"})
    assert answer.status_code == 401
    assert httpx.get(service.url("/readyz"), trust_env=False).status_code == 200


def test_a_newline_behind_a_secret_is_not_part_of_it(service):
    service.secret("jwt-secret", SECRET + "\n")
    assert service.start()
    Chat(service).close()


def test_a_port_that_is_taken_is_told(service, booted):
    service.dropin("once.conf", "[Service]\nRestart=no")
    with socket.create_server(("127.0.0.1", service.port)):
        fails(service, booted, 1, str(service.port))


def test_a_database_that_is_away_is_told(service, booted):
    away = f"127.0.0.1:{free_port()}"
    service.dropin("once.conf", "[Service]\nRestart=no\nEnvironment=MONGO_CONNECT_TIMEOUT=1s "
                   f"MONGO_URI=mongodb://{away}/?replicaSet=rs0")
    fails(service, booted, 1, away)


def test_a_data_folder_that_cannot_be_written_is_told(service, booted):
    service.dropin("once.conf", "[Service]\nRestart=no\nReadOnlyPaths=%S/private/chatbox\n")
    fails(service, booted, 1, "/var/lib/chatbox")


def test_a_certificate_with_another_key_is_told(service, booted, tmp_path):
    for name in ("fullchain.pem", "privkey.pem"):
        service.secret(name, Authority(tmp_path).pair(HERE).read_text())
    service.dropin("tls.conf", "[Service]\n"
                   "Environment=TLS_CERT_FILE=%d/chatbox_fullchain.pem\n"
                   "Environment=TLS_KEY_FILE=%d/chatbox_privkey.pem\n")
    fails(service, booted, 78, "/run/credentials/chatbox.service/chatbox_privkey.pem")

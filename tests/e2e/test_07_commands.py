# SPDX-License-Identifier: MIT
"""The command line: exit statuses, token, keygen, check, dev."""

import base64
import re
import subprocess
import time

import jwt
import pytest

from support.server import (BINARY, Server, base_env, demo_env, minimal_env,
                            run_cli)
from support.tokens import SECRET
from support.waiting import wait_for
from support.ws import Chat, fresh


@pytest.mark.parametrize("args", [
    ["fly"], ["--fly"], ["serve", "--fly"], ["check", "--nonsense"],
    ["token", "--nonsense"], ["config", "--nonsense"], ["keygen", "nonsense"],
    ["serve", "--set", "server.port"], ["check", "--set"], ["check", "--config"],
    ["token"], ["keygen"], ["--version", "x"], ["--help", "serve"], ["help"], ["-h"],
    ["config"], ["config", "x"], ["serve", "x"], ["keygen", "jwt", "encryption"],
    ["token", "--user", ""], ["token", "--user", "a\nb"], ["token", "--user", "x" * 256],
    ["token", "--user", "a\udcff"], ["token", "--user", "a", "--role", "\udcff"],
    ["token", "--user", "a", "--ttl", "0"], ["dev", "--port", "65536"],
    ["serve", "--port", "0"], ["check", "--user", "a"],
    ["backup"], ["backup", ""], ["backup", "a", "b"], ["backup", "a", "--yes"], ["restore"],
    ["restore", "a", "--dry-run"], ["export-user"], ["export-user", "a", "b", "c"],
    ["erase-user"], ["erase-user", "a", "b"], ["erase-user", "a", "--force"],
    ["erase-user", "-a"]], ids=ascii)
def test_a_bad_command_line_is_exit_status_2(args):
    result = run_cli(*args, env=minimal_env())
    assert result.returncode == 2, result.all
    assert result.stderr


@pytest.mark.parametrize("args,env", [
    (["check", "--config", "/no/such/file.yaml"], {}),
    (["serve", "--config", "/no/such/file.yaml"], {}),
    (["check"], {"CHATBOX_CONFIG": "/no/such/file.yaml"}),
    (["check", "--set", "server.colour=red"], {}),
    (["check", "--set", "=1"], {}),
    (["check"], {"STORE": "mongo"}), (["serve"], {"STORE": "mongo"})])
def test_an_invalid_configuration_is_exit_status_78(args, env):
    result = run_cli(*args, env={**minimal_env(), **env})
    assert result.returncode == 78, result.all


def test_version_and_help_go_to_standard_output():
    version = run_cli("--version")
    assert version.returncode == 0 and re.search(r"\d+\.\d+", version.stdout)
    usage = run_cli("--help")
    assert usage.returncode == 0
    for word in ("serve", "dev", "token", "check", "health", "config", "keygen", "rekey", "migrate",
                 "backup", "restore", "export-user", "erase-user"):
        assert word in usage.stdout
    assert version.stderr == "" and usage.stderr == ""


def test_an_output_that_takes_nothing_is_exit_status_1():
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "--version"], stdout=full, text=True,
                              stderr=subprocess.PIPE, env=base_env(), check=False)
    assert done.returncode == 1
    assert "standard output: No space left" in done.stderr


def test_token_prints_a_token_that_says_what_was_asked():
    result = run_cli("token", "--user", "ann", "--name", "Ann B.", "--role", "admin",
                     "--role", "chat_admin", "--ttl", "2h", env=minimal_env())
    assert result.returncode == 0, result.all
    text = result.stdout.rstrip("\n")
    assert "\n" not in text
    assert jwt.get_unverified_header(text)["alg"] == "HS256"
    claims = jwt.decode(text, SECRET, algorithms=["HS256"])
    assert claims["user_id"] == "ann" and claims["name"] == "Ann B."
    assert claims["roles"] == ["admin", "chat_admin"]
    assert abs(claims["exp"] - time.time() - 7200) < 60


def test_token_lives_an_hour_unless_told_otherwise():
    result = run_cli("token", "--user", "ann", env=minimal_env())
    claims = jwt.decode(result.stdout.strip(), SECRET, algorithms=["HS256"])
    assert abs(claims["exp"] - time.time() - 3600) < 60
    assert not claims.get("roles")


def test_token_escapes_what_json_needs():
    name = 'A "quoted" \\ Näme'
    result = run_cli("token", "--user", 'u"1', "--name", name, env=minimal_env())
    claims = jwt.decode(result.stdout.strip(), SECRET, algorithms=["HS256"])
    assert claims["user_id"] == 'u"1' and claims["name"] == name


def test_token_is_one_that_the_same_settings_take(spawn):
    rules = {"JWT_USER_CLAIM": "sub", "JWT_ISSUER": "us", "JWT_AUDIENCE": "chat"}
    server = spawn({**demo_env(), **rules})
    text = run_cli("token", "--user", "žlutá", "--role", "admin",
                   env={**minimal_env(), **rules}).stdout.strip()
    assert server.client(text).get("/sessions").json()["user_id"] == "žlutá"
    assert server.client(text).get("/admin/metrics").status_code == 200


def test_token_without_a_secret_is_exit_status_78():
    assert run_cli("token", "--user", "x").returncode == 78


@pytest.mark.parametrize("ttl", ["soon", "-1h", ""])
def test_token_refuses_a_bad_ttl(ttl):
    result = run_cli("token", "--user", "x", "--ttl", ttl, env=minimal_env())
    assert result.returncode in (2, 78) and result.stdout == ""


def test_keygen_jwt_prints_a_secret_that_check_accepts():
    """Property 18."""
    one, two = (run_cli("keygen", "jwt").stdout.strip() for _ in range(2))
    assert one != two and len(one) >= 32 and "\n" not in one
    for secret in (one, two):
        result = run_cli("check", env={**demo_env(), "JWT_SECRET": secret})
        assert result.returncode == 0, result.all


def test_keygen_encryption_prints_a_key_entry():
    text = run_cli("keygen", "encryption").stdout.strip()
    match = re.fullmatch(r"k[0-9a-f]{8}:([A-Za-z0-9+/]+=*)", text)
    assert match, text
    assert len(base64.b64decode(match[1], validate=True)) == 32


def test_check_opens_and_makes_nothing(tmp_path):
    env = {**minimal_env(), "DATA_DIR": str(tmp_path / "data")}
    result = run_cli("check", env=env)
    assert result.returncode == 0
    assert not (tmp_path / "data").exists()
    assert result.stdout and str(tmp_path / "data") in result.stdout


def test_serve_opens_nothing_when_a_setting_is_invalid(tmp_path):
    """Req 19.1, 19.2. Property 21."""
    env = {**minimal_env(), "DATA_DIR": str(tmp_path / "data"), "SERVER_PORT": "0"}
    result = run_cli("serve", env=env)
    assert result.returncode == 78
    assert not (tmp_path / "data").exists()


def test_serve_reports_violations_in_its_log(tmp_path):
    """Req 19.3."""
    result = run_cli("serve", env={**minimal_env(), "LOG_LEVEL": "loud",
                                   "DATA_DIR": str(tmp_path / "d")})
    assert result.returncode == 78
    assert "LOG_LEVEL" in result.stderr and "config_error" in result.stderr
    assert result.stdout == ""


@pytest.fixture
def dev(tmp_path):
    """Starts `chatbox dev --port 0` in a folder of its own."""
    started = []

    def start(*args, **env):
        off = dict.fromkeys(("JWT_SECRET", "SERVER_PORT", "SERVER_HOST", "DATA_DIR",
                             "LOG_LEVEL"))
        server = Server({**off, **env}, command=["dev", "--port", "0", *args],
                        cwd=str(tmp_path), data=str(tmp_path), wait=False)
        started.append(server)

        def port():
            assert server.process.poll() is None, server.tail()
            text = "\n".join(server.stdout + server.lines)
            return re.search(r"127\.0\.0\.1:([1-9]\d*)", text)
        server.port = int(wait_for(port, 10, "a start line")[1])
        server.wait_ready()
        return server
    yield start
    for server in started:
        server.close()


def links(server):
    """The tokens of the printed links, in order."""
    text = wait_for(lambda: "\n".join(server.stdout + server.lines)
                    if len(re.findall(r"eyJ[\w-]+\.[\w-]+\.[\w-]+",
                                      "\n".join(server.stdout + server.lines))) >= 2
                    else None, 5, "two links")
    return re.findall(r"https?://\S+?#\S*?(eyJ[\w-]+\.[\w-]+\.[\w-]+)", text)


def test_dev_chats_with_the_demo_model_without_any_setting(dev):
    server = dev()
    tokens = links(server)
    assert len(tokens) >= 2, server.tail()
    with Chat(server, bearer=tokens[0]) as chat:
        turn = chat.turn("Hello there", timeout=50)
        assert turn.finish == "stop" and turn.text
    operator = jwt.decode(tokens[1], options={"verify_signature": False})
    assert {"admin", "chat_admin"} & set(operator["roles"])


def test_dev_keeps_its_secret_and_data_between_runs(dev, tmp_path):
    first = dev()
    bearer = links(first)[0]
    made = first.client(bearer).post("/sessions", json={"name": "mine"}).json()
    first.stop()
    assert (tmp_path / ".chatbox-dev").is_dir()
    second = dev()
    assert second.client(bearer).get(f"/sessions/{made['id']}").status_code == 200


def test_dev_offers_several_models_of_the_demo_provider(dev):
    server = dev()
    models = server.client(links(server)[0]).get("/models").json()["models"]
    assert len(models) >= 2


def test_dev_uses_configured_providers_instead_of_the_demo(dev, fake):
    server = dev(LLM_PROVIDER_1_ID="mine", LLM_PROVIDER_1_NAME="Mine",
                 LLM_PROVIDER_1_TYPE="openai", LLM_PROVIDER_1_ENDPOINT=fake.endpoint,
                 LLM_PROVIDER_1_API_KEY="k-77", LLM_PROVIDER_1_MODEL="m")
    models = server.client(links(server)[0]).get("/models").json()["models"]
    assert [m["id"] for m in models] == ["mine"]


def test_dev_writes_no_token_into_the_query(dev):
    server = dev()
    links(server)
    assert "?token=" not in "\n".join(server.stdout + server.lines)


def test_the_demo_model_answers_the_same_question_alike(spawn):
    server = spawn(demo_env())
    with Chat(server, fresh()) as one, Chat(server, fresh()) as two:
        for chat in (one, two):
            chat.say("What is a socket?")
        texts = [chat.rest_of_turn(50).text for chat in (one, two)]
    assert texts[0] == texts[1] and texts[0]

# SPDX-License-Identifier: MIT
"""Where settings come from, which source wins, what is warned of and hidden."""

import pytest
import yaml

from support.server import API_KEY, demo_env, minimal_env, provider_env, run_cli
from support.tokens import SECRET


def check(*args, env=None, drop=(), **more):
    settings = {**minimal_env(), **(env or {}), **more}
    for name in drop:
        settings.pop(name)
    return run_cli("check", *args, env=settings)


def effective(result, path):
    """The line(s) of `check` that speak of a setting's last word."""
    assert result.returncode == 0, result.all
    leaf = path.split(".")[-1]
    lines = [line for line in result.stdout.splitlines() if leaf in line]
    assert lines, result.stdout
    return "\n".join(lines)


@pytest.fixture
def config(tmp_path):
    def write(text, name="chatbox.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)
    return write


def test_the_default_holds_when_nothing_is_said():
    assert "8080" in effective(check(), "server.port")


def test_the_file_wins_over_the_default(config):
    path = config("server:\n  port: 18101\n")
    assert "18101" in effective(check("--config", path), "server.port")


def test_the_environment_names_the_file(config):
    path = config("server:\n  port: 18102\n")
    assert "18102" in effective(check(env={"CHATBOX_CONFIG": path}), "server.port")


def test_the_option_wins_over_the_environments_file(config):
    one = config("server:\n  port: 18103\n", "one.yaml")
    two = config("server:\n  port: 18104\n", "two.yaml")
    shown = effective(check("--config", two, env={"CHATBOX_CONFIG": one}), "server.port")
    assert "18104" in shown and "18103" not in shown


def test_the_environment_wins_over_the_file(config):
    path = config("server:\n  port: 18105\n")
    result = check("--config", path, env={"SERVER_PORT": "18106"})
    assert "18106" in effective(result, "server.port")
    assert "18105" not in result.stdout


def test_set_wins_over_everything_and_may_be_repeated(config):
    path = config("server:\n  port: 18107\n")
    result = check("--config", path, "--set", "server.port=18108",
                   "--set", "log.level=warn", env={"SERVER_PORT": "18109"})
    assert "18108" in effective(result, "server.port")
    assert "warn" in effective(result, "log.level")


def test_an_empty_variable_counts_as_unset():
    assert "8080" in effective(check(env={"SERVER_PORT": ""}), "server.port")


@pytest.mark.parametrize("text", [
    "server:\n  porrt: 1\n", "sever:\n  port: 1\n", "port: 80\n",
    "llm:\n  providers:\n    - id: a\n      type: demo\n      colour: red\n"])
def test_an_unknown_yaml_key_is_an_error(config, text):
    result = check("--config", config(text))
    assert result.returncode == 78, result.all
    assert any(w in result.all for w in ("porrt", "sever", "port", "colour"))


@pytest.mark.parametrize("text", ["server: [1, 2\n", "\tserver: x\n", "server: port\n",
                                  "- a\n- b\n", "server:\n  port: [1]\n",
                                  "server:\n  port: {a: 1}\n", "a: b: c\n"])
def test_yaml_that_does_not_parse_or_fit_is_an_error(config, text):
    assert check("--config", config(text)).returncode == 78


def test_a_duplicate_yaml_key_is_not_silently_taken(config):
    result = check("--config", config("server:\n  port: 1001\n  port: 1002\n"))
    assert result.returncode == 78, result.all


@pytest.mark.parametrize("text,path,env", [
    ("server:\n  host: [127.0.0.1]\n", "server.host", "SERVER_HOST"),
    ("server:\n  port: {a: 1}\n", "server.port", "SERVER_PORT"),
    ("auth:\n  admin_roles: admin\n", "auth.admin_roles", "ADMIN_ROLES"),
    ("auth:\n  admin_roles: [[admin]]\n", "auth.admin_roles", "ADMIN_ROLES"),
    ("llm:\n  providers:\n    - {id: a, type: [demo]}\n", "llm.providers[1].type",
     "LLM_PROVIDER_1_TYPE")])
def test_a_value_of_the_wrong_shape_is_named_by_both_names(config, text, path, env):
    result = check("--config", config(text))
    assert result.returncode == 78, result.all
    assert [line for line in result.all.splitlines() if path in line and env in line
            and "allowed: " in line], result.all


def test_a_sentence_is_whole_however_long_the_file_is_called(tmp_path):
    folder = tmp_path / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    (folder / "c.yaml").write_text("auth:\n  jwt_secret: changeme\n")
    result = check("--config", str(folder / "c.yaml"), drop=["JWT_SECRET"])
    assert result.returncode == 78 and "openssl rand -base64 32" in result.all


def test_a_value_of_two_hundred_bytes_is_shown(config):
    value = ",".join(f"https://host-{n}.example" for n in range(7)) + ",nonsense"
    result = check(env={"WS_ALLOWED_ORIGINS": value})
    assert result.returncode == 78 and len(value) < 200 and value in result.all


def test_an_empty_file_is_an_empty_source(config):
    assert check("--config", config("")).returncode == 0


def test_lists_are_sequences_in_yaml(config):
    path = config("ws:\n  allowed_origins:\n    - https://a.example\n    - 'null'\n")
    assert "https://a.example" in effective(check("--config", path),
                                            "ws.allowed_origins")


def test_an_empty_sequence_of_metric_networks_means_nobody(config):
    path = config("metrics:\n  allowed_networks: []\n")
    assert check("--config", path).returncode == 0


def test_providers_come_from_the_file(config):
    path = config("llm:\n  providers:\n    - {id: one, type: demo}\n"
                  "    - {id: two, type: demo}\n  default_model: two\n")
    result = run_cli("check", "--config", path, env={"JWT_SECRET": SECRET})
    assert result.returncode == 0, result.all
    assert "one" in result.stdout and "two" in result.stdout


def test_the_environment_replaces_members_of_the_files_nth_provider(config):
    path = config("llm:\n  providers:\n"
                  "    - {id: one, name: First, type: openai, api_key: k-1a2b,"
                  " endpoint: 'https://a.example/v1'}\n"
                  "    - {id: two, type: demo}\n")
    result = run_cli("check", "--config", path, env={
        "JWT_SECRET": SECRET, "LLM_PROVIDER_2_ID": "deux",
        "LLM_PROVIDER_1_ENDPOINT": "https://b.example/v1",
        "LLM_PROVIDER_7_ID": "seven", "LLM_PROVIDER_7_TYPE": "demo"})
    assert result.returncode == 0, result.all
    for word in ("one", "First", "deux", "seven", "https://b.example/v1"):
        assert word in result.stdout, word
    assert "https://a.example/v1" not in result.stdout


def test_a_secret_may_come_from_a_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    result = check(env={"JWT_SECRET_FILE": str(path)}, drop=["JWT_SECRET"])
    assert result.returncode == 0, result.all
    assert SECRET not in result.all


def test_only_one_trailing_newline_of_a_secret_file_is_taken_off(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET[:31] + "\n")
    result = check(env={"JWT_SECRET_FILE": str(path)}, drop=["JWT_SECRET"])
    assert result.returncode == 78, result.all


def test_a_secret_and_its_file_together_are_an_error(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET)
    result = check(env={"JWT_SECRET_FILE": str(path)})
    assert result.returncode == 78, result.all
    assert "JWT_SECRET_FILE" in result.all


def test_a_providers_key_and_its_file_together_are_an_error(tmp_path, fake):
    path = tmp_path / "key"
    path.write_text("k-two-9")
    env = {"JWT_SECRET": SECRET, **provider_env(fake, 7, API_KEY="k-one-9"),
           "LLM_PROVIDER_7_API_KEY_FILE": str(path)}
    result = run_cli("check", env=env)
    assert result.returncode == 78, result.all
    assert "LLM_PROVIDER_7_API_KEY_FILE" in result.all
    assert "k-one-9" not in result.all and "k-two-9" not in result.all


KEY_ENTRY = "k0a1b2c3:" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY="
SECRETS = {
    "ENCRYPTION_KEY": ("0123456789abcdefGHIJKLMNOPQRSTUV", {}),
    "ENCRYPTION_KEYS": (KEY_ENTRY, {}),
    "SMTP_PASS": ("pass-77a", {"SMTP_USER": "u"}),
    "SMS_AUTH_TOKEN": ("token-77b", {"SMS_PROVIDER": "generic", "SMS_FROM": "+15550001111",
                                     "SMS_API_URL": "https://sms.example.com/x"}),
    "WEBHOOK_SECRET": ("w77c" * 8, {"WEBHOOK_URL": "https://hook.example.com/x"}),
    "TRANSCRIPTION_API_KEY": ("key-77d", {
        "TRANSCRIPTION_ENDPOINT": "https://api.example.com/v1"}),
    "S3_SECRET_ACCESS_KEY": ("key-77e", {"UPLOAD_STORE": "s3", "S3_BUCKET": "b",
                                         "S3_ACCESS_KEY_ID": "i"})}


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_has_a_file_form_and_is_hidden(name, tmp_path):
    value, others = SECRETS[name]
    path = tmp_path / "secret"
    path.write_text(value + "\n")
    for env, status in (({name: value}, 0), ({f"{name}_FILE": str(path)}, 0),
                        ({name: value, f"{name}_FILE": str(path)}, 78),
                        ({f"{name}_FILE": str(tmp_path / "none")}, 78),
                        ({name: "YOUR_" + "x" * 59}, 78)):
        result = check(env={**others, **env})
        assert result.returncode == status, (env, result.all)
        assert value not in result.all
        assert status == 0 or name in result.all


REQUIRED = {
    **{name: others for name, (_, others) in SECRETS.items()},
    "JWT_SECRET": {}, "MONGO_URI": {"STORE": "mongo"},
    "LLM_PROVIDER_1_API_KEY": {"LLM_PROVIDER_1_TYPE": "openai", "LLM_PROVIDER_1_NAME": "A",
                               "LLM_PROVIDER_1_ENDPOINT": "https://api.example.com/v1"}}


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_secret_file_is_told_in_one_line(name, tmp_path):
    """Req 6.4: and not once more as a setting that is not there."""
    result = check(env={**REQUIRED[name], name: "", f"{name}_FILE": str(tmp_path / "no")})
    assert result.returncode == 78, result.all
    (line,) = result.stderr.splitlines()
    assert f"({name})" in line and "does not exist" in line


def test_a_providers_key_may_come_from_a_file(tmp_path, fake):
    path = tmp_path / "key"
    path.write_text(API_KEY + "\n")
    env = provider_env(fake, LLM="x")
    env = {k: v for k, v in env.items() if not k.endswith(("_API_KEY", "_LLM"))}
    env["LLM_PROVIDER_1_ENDPOINT"] = "https://api.example.com/v1"
    env["LLM_PROVIDER_1_API_KEY_FILE"] = str(path)
    result = run_cli("check", env={"JWT_SECRET": SECRET, **env})
    assert result.returncode == 0, result.all
    assert API_KEY not in result.all


def test_all_violations_are_reported_together():
    """Req 19.3: one line for each."""
    bad = {"SERVER_PORT": "70000", "LOG_LEVEL": "loud", "WS_PING_PERIOD": "2h",
           "RATE_LIMIT": "0", "JWT_LEEWAY": "soon", "JWT_SECRET": "short-one-9",
           "MAX_MESSAGE_SIZE": "1"}
    result = check(env=bad)
    assert result.returncode == 78
    for name, value in bad.items():
        lines = [line for line in result.all.splitlines() if name in line]
        assert lines, (name, result.all)
        assert value in lines[0] or name == "JWT_SECRET"
    assert "short-one-9" not in result.all


def test_secrets_are_shown_nowhere(fake):
    result = run_cli("check", env={"JWT_SECRET": SECRET, **provider_env(fake)})
    assert result.returncode == 0
    assert SECRET not in result.all and API_KEY not in result.all


def test_two_different_lists_of_origins_are_an_error():
    one, two = "https://a.example", "https://b.example"
    same = check(env={"WS_ALLOWED_ORIGINS": one, "CHATBOX_ALLOWED_ORIGINS": one})
    assert same.returncode == 0, same.all
    other = check(env={"WS_ALLOWED_ORIGINS": one, "CHATBOX_ALLOWED_ORIGINS": two})
    assert other.returncode == 78
    line = next(x for x in other.all.splitlines() if "ws.allowed_origins" in x)
    for word in (one, two, "WS_ALLOWED_ORIGINS", "CHATBOX_ALLOWED_ORIGINS"):
        assert word in line
    alone = check(env={"CHATBOX_ALLOWED_ORIGINS": two})
    assert two in effective(alone, "ws.allowed_origins")


@pytest.mark.parametrize("wrong,meant", [
    ("JWT_SECRTE", "JWT_SECRET"), ("SERVER_PROT", "SERVER_PORT"),
    ("SERVER_THREAD", "SERVER_THREADS"), ("WS_PINGPERIOD", "WS_PING_PERIOD"),
    ("RATE_LIMITS", "RATE_LIMIT"), ("LOG_LEVLE", "LOG_LEVEL"),
    ("SHUTDOWN_TIMOUT", "SHUTDOWN_TIMEOUT"), ("SESSION_TLT", "SESSION_TTL"),
    ("LLM_DEFAULT_MODLE", "LLM_DEFAULT_MODEL"), ("ADMIN_ROLE", "ADMIN_ROLES"),
    ("CHATBOX_ALOWED_ORIGINS", "CHATBOX_ALLOWED_ORIGINS"),
    ("CHATBOX_CONFG", "CHATBOX_CONFIG"),
    ("LLM_PROVIDER_1_ENDPIONT", "LLM_PROVIDER_1_ENDPOINT")])
def test_a_slip_of_the_pen_is_warned_of_with_the_right_name(wrong, meant):
    result = check(env={wrong: "1"})
    assert result.returncode == 0, result.all
    lines = [line for line in result.stderr.splitlines() if wrong in line]
    assert lines and meant in lines[0].replace(wrong, "", 1), result.all


@pytest.mark.parametrize("name", ["SERVER_SOMETHING_ELSE", "PATH_TO_X", "XJWT_SECRET",
                                  "JWT_ENTIRELY_DIFFERENT"])
def test_a_distant_or_foreign_variable_is_not_warned_of(name):
    result = check(env={name: "1"})
    assert result.returncode == 0 and name not in result.all


@pytest.mark.parametrize("value,network", [("127.0.0.1", "127.0.0.1"),
                                           ("::1", "::1")])
def test_a_bare_address_is_a_network_of_one(value, network):
    assert network in effective(check(env={"TRUSTED_PROXIES": value}),
                                "server.trusted_proxies")


def test_a_public_key_and_a_secret_exclude_one_another(tmp_path):
    path = tmp_path / "k.pem"
    path.write_text("-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n")
    result = check(env={"JWT_PUBLIC_KEY_FILE": str(path)})
    assert result.returncode == 78, result.all


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN PUBLIC KEY-----\nAAAA\n"
                                  "-----END PUBLIC KEY-----\n"])
def test_a_public_key_file_must_hold_a_key(tmp_path, text):
    path = tmp_path / "k.pem"
    path.write_text(text)
    env = {"JWT_PUBLIC_KEY_FILE": str(path), **demo_env()}
    assert run_cli("check", env=env).returncode == 78
    assert run_cli("serve", env=env).returncode == 78


def test_the_example_file_is_yaml_and_the_default():
    result = run_cli("config", "--example")
    assert result.returncode == 0
    assert "#" in result.stdout
    document = yaml.safe_load(result.stdout)
    assert document is None or isinstance(document, dict)

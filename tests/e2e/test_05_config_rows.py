# SPDX-License-Identifier: MIT
"""Every row of configuration.md: good values pass, bad ones are exit status 78."""

import pytest
import yaml

from support.server import minimal_env, provider_env, run_cli
from support.settings import (DEFAULTS, ENDPOINTS_BAD, ENDPOINTS_GOOD, OTHER_NAMES,
                              ROWS, SECRETS_BAD)
from support.tokens import SECRET

GOOD = [(p, e, v) for p, e, good, _ in ROWS for v in good]
BAD = [(p, e, v) for p, e, _, bad in ROWS for v in bad]


def ident(value):
    return value or "empty"


@pytest.mark.parametrize("path,env,value", GOOD, ids=ident)
def test_a_good_value_is_accepted(path, env, value):
    """Property 22."""
    result = run_cli("check", env={**minimal_env(), env: value})
    assert result.returncode == 0, result.all


@pytest.mark.parametrize("path,env,value", BAD, ids=ident)
def test_a_bad_value_is_refused_and_named(path, env, value):
    """Req 19.2, 19.3, 19.5, Property 21: the line names both names and the value."""
    result = run_cli("check", env={**minimal_env(), env: value})
    assert result.returncode == 78, result.all
    named = [line for line in result.all.splitlines() if path in line and env in line]
    assert named, result.all
    assert any(value in line.replace("\\\"", '"') for line in named), result.all


@pytest.mark.parametrize("path,env,good,bad", ROWS, ids=[r[1] for r in ROWS])
def test_the_same_row_is_judged_alike_from_yaml_and_set(path, env, good, bad,
                                                        tmp_path):
    quoted = bad[0].replace("'", "''")
    *groups, leaf = path.split(".")
    lines = [f"{'  ' * depth}{group}:\n" for depth, group in enumerate(groups)]
    lines.append(f"{'  ' * len(groups)}{leaf}: '{quoted}'\n")
    (tmp_path / "c.yaml").write_text("".join(lines))
    config = ["--config", str(tmp_path / "c.yaml")]
    from_file = run_cli("check", *config, env=minimal_env())
    assert from_file.returncode == 78 and path in from_file.all, from_file.all
    from_set = run_cli("check", "--set", f"{path}={bad[0]}", env=minimal_env())
    assert from_set.returncode == 78 and path in from_set.all, from_set.all
    right = run_cli("check", "--set", f"{path}={good[0]}", env=minimal_env())
    assert right.returncode == 0, right.all


def test_what_is_not_said_is_the_default():
    result = run_cli("check", env=minimal_env())
    assert result.returncode == 0, result.all
    shown = {path: yaml.safe_load(value) for path, _, value in
             (line.partition(": ") for line in result.stdout.splitlines())}
    assert {path: shown[path] for path in DEFAULTS} == DEFAULTS
    assert set(shown["metrics.allowed_networks"]) >= {
        "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}


@pytest.mark.parametrize("name,value", SECRETS_BAD.items(), ids=list(SECRETS_BAD))
def test_a_weak_jwt_secret_is_refused_without_being_shown(name, value):
    """Req 17.1, 17.2, 17.3, 17.4, 17.5, Property 17: length, weak words, guidance."""
    result = run_cli("check", env={**minimal_env(), "JWT_SECRET": value})
    assert result.returncode == 78, result.all
    assert value not in result.all
    assert "auth.jwt_secret" in result.all and "JWT_SECRET" in result.all
    assert "<secret>" in result.all
    assert "openssl rand -base64 32" in result.all


def test_a_secret_of_exactly_32_bytes_is_accepted():
    """Req 17.2."""
    result = run_cli("check", env={**minimal_env(), "JWT_SECRET": SECRET[:32]})
    assert result.returncode == 0, result.all


def env_for(**members):
    env = {"JWT_SECRET": SECRET}
    defaults = {"ID": "a", "NAME": "A", "TYPE": "openai",
                "ENDPOINT": "https://api.example.com/v1", "API_KEY": "k9-aa31bc",
                "MODEL": "m"}
    defaults.update(members)
    env.update({f"LLM_PROVIDER_1_{k}": v for k, v in defaults.items() if v is not None})
    return env


@pytest.mark.parametrize("endpoint", ENDPOINTS_GOOD)
def test_a_permitted_endpoint_is_accepted(endpoint):
    result = run_cli("check", env=env_for(ENDPOINT=endpoint))
    assert result.returncode == 0, result.all


@pytest.mark.parametrize("endpoint", ENDPOINTS_BAD, ids=ident)
def test_a_forbidden_endpoint_is_refused(endpoint):
    result = run_cli("check", env=env_for(ENDPOINT=endpoint))
    assert result.returncode == 78, result.all
    assert "LLM_PROVIDER_1_ENDPOINT" in result.all
    assert "llm.providers" in result.all


@pytest.mark.parametrize("member", ["ID", "NAME", "TYPE", "ENDPOINT", "API_KEY"])
def test_a_provider_needs_each_of_its_members(member):
    """Req 19.4."""
    result = run_cli("check", env=env_for(**{member: None}))
    assert result.returncode == 78, result.all
    assert f"LLM_PROVIDER_1_{member}" in result.all


def test_a_demo_provider_needs_only_its_id():
    env = {"JWT_SECRET": SECRET, "LLM_PROVIDER_1_ID": "d", "LLM_PROVIDER_1_TYPE": "demo"}
    assert run_cli("check", env=env).returncode == 0


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1/v1", "http://10.0.0.1/v1"])
def test_the_key_may_be_empty_for_a_near_endpoint(endpoint):
    result = run_cli("check", env=env_for(ENDPOINT=endpoint, API_KEY=None))
    assert result.returncode == 0, result.all


@pytest.mark.parametrize("key", ["<your key>", "YOUR_API_KEY_9a", "REPLACE_WITH_KEY",
                                 "placeholder-9a7b"])
def test_a_placeholder_key_is_refused_without_being_shown(key):
    result = run_cli("check", env=env_for(API_KEY=key))
    assert result.returncode == 78, result.all
    assert key not in result.all and "<secret>" in result.all


PARAMS_BAD = [("TEMPERATURE", "2.1"), ("TEMPERATURE", "warm"), ("TEMPERATURE", "-0.5"),
              ("MAX_TOKENS", "0"), ("MAX_TOKENS", "1.5"), ("MAX_TOKENS", "10000001"),
              ("EXTRA_BODY", "top_p=1"), ("EXTRA_BODY", '[{"top_p": 1}]'),
              ("EXTRA_BODY", '{"top_p": 1, "top_p": 2}'), ("EXTRA_BODY", '{"stream": false}'),
              ("EXTRA_BODY", '{"temperature": 1}'), ("EXTRA_BODY", "{} " * 6000),
              ("CONTINUE_ON_FAILURE", "perhaps"), ("VISION", "perhaps")]


@pytest.mark.parametrize("kind", ["openai", "anthropic", "dify"])
def test_a_providers_parameters_are_shown_as_they_were_written(kind):
    members = {"TEMPERATURE": "0.70", "MAX_TOKENS": "1000",
               "EXTRA_BODY": '{"stop": ["\\n"], "top_p": 1}'}
    result = run_cli("check", env=env_for(TYPE=kind, **members))
    assert result.returncode == 0, result.all
    shown = yaml.load(result.stdout, yaml.BaseLoader)  # texts
    for name, value in members.items():
        assert shown[f"llm.providers[1].{name.lower()}"] == value


@pytest.mark.parametrize("member,value", PARAMS_BAD, ids=ident)
def test_a_wrong_parameter_of_a_provider_is_refused(member, value):
    """Req 19.2."""
    result = run_cli("check", env=env_for(**{member: value}))
    assert result.returncode == 78, result.all
    assert f"llm.providers[1].{member.lower()}" in result.all
    assert f"LLM_PROVIDER_1_{member}" in result.all


@pytest.mark.parametrize("kind", ["gpt", "OpenAI2", "1"])
def test_an_unknown_provider_type_is_refused(kind):
    assert run_cli("check", env=env_for(TYPE=kind)).returncode == 78


def test_provider_types_are_read_in_any_case():
    assert run_cli("check", env=env_for(TYPE="OPENAI")).returncode == 0


def test_provider_ids_are_unique():
    env = {**env_for(), "LLM_PROVIDER_5_ID": "a", "LLM_PROVIDER_5_TYPE": "demo"}
    assert run_cli("check", env=env).returncode == 78


def test_provider_numbers_may_have_gaps_up_to_99():
    env = {"JWT_SECRET": SECRET}
    for n in (3, 50, 99):
        env[f"LLM_PROVIDER_{n}_ID"] = f"p{n}"
        env[f"LLM_PROVIDER_{n}_TYPE"] = "demo"
    result = run_cli("check", env=env)
    assert result.returncode == 0, result.all
    for n in (3, 50, 99):
        assert f"p{n}" in result.stdout


def test_a_fallback_names_another_provider(fake):
    good = {"JWT_SECRET": SECRET, **provider_env(fake, ID="a", FALLBACK="b"),
            **provider_env(fake, 2, ID="b")}
    assert run_cli("check", env=good).returncode == 0
    for wrong in ("c", "a"):
        bad = {**good, "LLM_PROVIDER_1_FALLBACK": wrong}
        assert run_cli("check", env=bad).returncode == 78, wrong


@pytest.mark.parametrize("cert,key", [("x", None), (None, "x")])
def test_tls_certificate_and_key_come_together(cert, key, tmp_path):
    (tmp_path / "x").write_text("x")
    env = minimal_env()
    for name, value in (("TLS_CERT_FILE", cert), ("TLS_KEY_FILE", key)):
        if value:
            env[name] = str(tmp_path / value)
    assert run_cli("check", env=env).returncode == 78


def test_help_and_example_name_every_setting():
    text = run_cli("config", "--help").stdout
    example = run_cli("config", "--example").stdout
    for path, env, _, _ in ROWS:
        assert path in text and env in text, path
        assert path.split(".")[-1] in example, path
    for env in OTHER_NAMES:
        assert env in text, env

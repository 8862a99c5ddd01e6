# SPDX-License-Identifier: MIT
"""No secret is in the repository, nor ever was: gitleaks looks through every commit, by
the rules of .gitleaks.toml. What is planted it has to find."""

import base64
import json
import os
import re
import secrets
import subprocess

import pytest

from support.debian import run
from support.server import ROOT, run_cli

SCANNER = ROOT / ".tools/go/bin/gitleaks"
RULES = ROOT / ".gitleaks.toml"
TEMPLATES = ROOT / "deploy/secrets"
SETTINGS = {"jwt-secret": "JWT_SECRET", "encryption-keys": "ENCRYPTION_KEYS",
            "llm-api-key": "LLM_PROVIDER_1_API_KEY", "mongo-uri": "MONGO_URI"}


def found(kind, folder, report):
    """The rules that something there breaks, with where; `kind`: git or dir."""
    done = subprocess.run([SCANNER, kind, "--no-banner", "--config", RULES,
                           "--report-format=json", "--report-path", report, folder],
                          capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    leaks = json.loads(report.read_text())
    assert (done.returncode == 1) == bool(leaks), done.stderr
    return [(one["RuleID"], one["File"], one["Commit"][:8]) for one in leaks]


def test_no_commit_of_the_repository_has_a_secret(tmp_path):
    """Req 6.1: manifests included, and what was taken back later. Of a shallow clone:
    none that is there."""
    assert int(run("git", "-C", ROOT, "rev-list", "--count", "HEAD").stdout) > 0
    assert found("git", ROOT, tmp_path / "report.json") == []


def test_no_file_that_is_not_committed_yet_has_one(tmp_path):
    names = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others",
                "--exclude-standard").stdout.split("\0")
    copy = tmp_path / "tree"
    copy.mkdir()
    present = [name for name in names if name and (ROOT / name).is_file()]
    subprocess.run(["tar", "-c", "-C", ROOT, "-T", "-", "-f", tmp_path / "tree.tar"],
                   input="\n".join(present), text=True, check=True)
    run("tar", "-x", "-f", tmp_path / "tree.tar", "-C", copy)
    assert found("dir", copy, tmp_path / "report.json") == []


def b64(count):
    return base64.b64encode(secrets.token_bytes(count)).decode()


def letters(count):
    """Each another one: the scanner takes what repeats itself for no secret."""
    return "".join(secrets.SystemRandom().sample("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", count))


def canaries():
    """Made anew each time: a file of a kind each, and what is planted in it."""
    key = secrets.token_hex(20)
    return {
        "a.yaml": f"data:\n  JWT_SECRET: +{b64(32)[1:]}\n",
        "b.env": f"ENCRYPTION_KEYS=k{secrets.token_hex(4)}:{b64(32)}\n",
        "c.sh": f"export MONGO_URI='mongodb://chat:{key}@db:27017/?replicaSet=rs0'\n",
        "d.py": f"AWS = 'AKIA{letters(16)}'\n",
        "e.txt": f"ghp_{secrets.token_hex(18)}\n",
        "f.pem": "-----BEGIN PRIVATE " + f"KEY-----\n{b64(120)}\n-----END PRIVATE KEY-----\n",
        "g.conf": f"LLM_PROVIDER_1_API_KEY=sk-proj-{secrets.token_hex(24)}\n"}


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    for who in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{who}_NAME": "somebody", f"GIT_{who}_EMAIL": "somebody@example.org"}
    run("git", "init", "-q", folder, env=env)

    def commit():
        run("git", "-C", folder, "add", "--all", env=env)
        run("git", "-C", folder, "commit", "-q", "-m", "a change", env=env)
    return folder, commit


def test_what_was_planted_is_found_also_when_it_was_taken_back(repository, tmp_path):
    folder, commit = repository
    planted = canaries()
    for name, text in planted.items():
        (folder / name).write_text(text)
    assert {one[1].rsplit("/", 1)[-1] for one in found("dir", folder, tmp_path / "now.json")
            } == set(planted)
    commit()
    for name in planted:
        (folder / name).write_text("nothing\n")
    commit()
    assert {one[1] for one in found("git", folder, tmp_path / "then.json")} == set(planted)


def test_what_is_let_pass_stands_where_nothing_is_deployed_from():
    """So that an exception cannot hide a secret that somebody would use."""
    rules = RULES.read_text().split("[allowlist]")[1]
    values = [one for text in re.findall("'''(.*)'''", rules) for one in text.split("|^")
              if "REPLACE_WITH" not in one]
    assert len(values) > 5
    names = run("git", "-C", ROOT, "ls-files", "deploy", "debian", "src", "tools", "web/src",
                "web/public", ".ci", "Makefile").stdout.splitlines()
    for value in values:
        pattern = re.compile(r"(?<![\w/+])" + value.strip("^$"))
        assert [name for name in names if (ROOT / name).is_file() and pattern.search(
            (ROOT / name).read_text(errors="replace"))] == [], value


def test_no_secret_is_handed_to_the_build_of_the_image():
    """Req 6.1: what git leaves out below deploy/ the builder leaves out."""
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()
               if line.startswith("/deploy/")]
    left_out = (ROOT / "deploy/docker/Dockerfile.dockerignore").read_text().split()
    assert len(ignored) > 1 and set(ignored) <= set(left_out)


# --- templates and instructions

@pytest.mark.parametrize("template", sorted(path.name for path in TEMPLATES.iterdir()))
def test_a_template_that_was_not_filled_in_is_refused(template):
    """Req 6.5, 6.4: each by the name of its setting."""
    name = SETTINGS[template]
    provider = {"LLM_PROVIDER_1_ID": "a", "LLM_PROVIDER_1_TYPE": "demo"}
    result = run_cli("check", env={**provider, f"{name}_FILE": str(TEMPLATES / template)})
    assert result.returncode == 78
    assert [line for line in result.stderr.splitlines()
            if f"({name})" in line and "is a placeholder" in line], result.stderr


def test_the_page_says_of_every_secret_how_it_is_made_and_changed():
    """Req 6.3."""
    page = (ROOT / "docs/security.md").read_text()
    text = run_cli("config", "--help").stdout
    names = re.findall(r"\((?:\w+, )*(\w+), \1_FILE\)", text)
    assert len(names) > 8
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for name in names:
        (row,) = [line for line in rows if f"`{name}`" in line.split("|")[1]]
        assert all(cell.strip() for cell in row.strip("|").split("|")), row

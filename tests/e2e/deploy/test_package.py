# SPDX-License-Identifier: MIT
"""What is handed on: the tarball, the package that is built of it, what both are made
of. `tools/deb` has made them, in another folder than the program of the other tests."""

import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from support import debian
from support.booted import System
from support.composefile import DOCKERFILE, FILES, service
from support.server import BINARY, ROOT
from support.pages import follow
from support.service import Service, at_another_port, knows
from support.ws import Chat

DEBS = ROOT / "build/deb"
VERSION = re.search(r"version: '([\d.]+)'", (ROOT / "meson.build").read_text())[1]
NEWER = f"{VERSION}+1"
# What dpkg, the journal and the loader's cache write for themselves.
OTHERS = re.compile(r"/(proc|sys|dev|run|tmp|var/log|var/lib/dpkg|var/cache|var/tmp)(/|$)"
                    r"|/var/lib/(systemd|dbus)(/|$)")


def package():
    (found,) = DEBS.glob("*.deb")
    return found


# --- the same again

def test_the_same_source_gives_the_same_program_in_another_folder():
    elsewhere = DEBS / f"chatbox-{VERSION}/build/chatbox"
    assert elsewhere.read_bytes() == Path(BINARY).read_bytes()


def test_the_tarball_has_the_pages_and_is_the_same_each_time():
    made = ROOT / "build" / f"chatbox-{VERSION}.tar.gz"
    commit = debian.run("git", "-C", ROOT, "rev-parse", "HEAD").stdout.strip()
    debian.run(ROOT / "tools/dist", commit)
    once = made.read_bytes()
    debian.run(ROOT / "tools/dist", commit)
    assert made.read_bytes() == once
    with tarfile.open(made) as tar:
        names = tar.getnames()
        assert {name.split("/")[0] for name in names} == {f"chatbox-{VERSION}"}
        assert f"chatbox-{VERSION}/web/dist/index.html" in names
        assert not any(member.mtime != tar.getmembers()[0].mtime for member in tar)


def test_every_file_names_the_same_version():
    changelog = (ROOT / "debian/changelog").read_text()
    assert changelog.startswith(f"chatbox ({VERSION})")
    assert f"ARG VERSION={VERSION}\n" in DOCKERFILE
    assert {service(name)["image"] for name in FILES} == {f"chatbox:{VERSION}"}
    chart = yaml.safe_load((ROOT / "deploy/helm/chatbox/Chart.yaml").read_text())
    assert chart["appVersion"] == VERSION


# --- the bill of materials

JUDGE = """import sys
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
print("\\n".join(one.validation_message
                for one in validate_full_spdx_document(parse_file(sys.argv[1]))))"""


def bill():
    return debian.run(ROOT / "tools/sbom", BINARY, env={**os.environ,
                                                       "SOURCE_DATE_EPOCH": "1790000000"}).stdout


def test_the_bill_of_materials_is_valid_and_the_same_each_time(tmp_path):
    file = tmp_path / "chatbox.spdx.json"
    file.write_text(bill())
    said = debian.run(ROOT / ".venv-deploy/bin/python", "-c", JUDGE, file).stdout.strip()
    assert said == "" and bill() == file.read_text()


def test_the_bill_of_materials_names_what_is_linked_loaded_and_shown():
    parts = {one["name"]: one["versionInfo"] for one in json.loads(bill())["packages"]}
    linked = [line.split()[0] for line in
              debian.run("objdump", "-p", BINARY).stdout.splitlines() if "NEEDED" in line]
    assert linked, "there are libraries"
    for name in ("chatbox", "libc6", "libcurl4", "libssl3", "libuv1", "libsqlite3-0",
                 "libjansson4", "libyaml-0-2", "libmongoc-1.0-0"):
        assert parts[name]
    installed = debian.run("dpkg-query", "-W", "-f", "${Version}", "libssl3").stdout
    assert parts["libssl3"] == installed
    pages = json.loads((ROOT / "web/package.json").read_text())["dependencies"]
    assert {name: parts[f"npm-{name}"] for name in pages} == pages


# --- the package

def test_lintian_has_nothing_to_say():
    (changes,) = DEBS.glob("*.changes")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning,info",
                           changes], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def files(root):
    return sorted(path for path in (str(one)[len(str(root)):] for one in root.rglob("*"))
                  if not OTHERS.match(path))


def newer(folder):
    """The same package under a later version."""
    debian.run("dpkg-deb", "--raw-extract", package(), folder)
    control = folder / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {VERSION}\n",
                                                   f"Version: {NEWER}\n"))
    made = folder.with_suffix(".deb")
    debian.run("dpkg-deb", "--root-owner-group", "--build", folder, made)
    return made


@pytest.fixture(scope="module")
def fresh(place):
    """A system that has booted; the two packages lie in it."""
    root = place / "fresh"
    root.mkdir()
    debian.unpack(root)
    shutil.copy(package(), root / "chatbox.deb")
    shutil.copy(newer(place / "newer"), root / "newer.deb")
    with System(root) as system:
        yield system


def install(system, deb):
    system.run("dpkg", "--install", f"/{deb}")


def test_from_the_installation_to_the_purge(fresh):
    before = files(fresh.root)
    install(fresh, "chatbox.deb")
    state = fresh.ctl("is-enabled", "chatbox", check=False).stdout.strip()
    assert (state, fresh.show("chatbox", "ActiveState")) == ("disabled", "inactive")
    folder = fresh.root / "etc/chatbox/secrets"
    assert folder.stat().st_mode & 0o777 == 0o700 and not list(folder.iterdir())
    knows(at_another_port(fresh), follow(fresh, "debian.md"))

    service = Service(fresh)  # with settings that differ from the package's
    settings = (service.etc / "chatbox.yaml").read_text()
    assert service.start(), fresh.journal("chatbox")
    chat = Chat(service)
    assert chat.turn("hello").finish == "stop"
    chat.close()

    first = fresh.show("chatbox", "MainPID")
    install(fresh, "newer.deb")
    assert NEWER in fresh.run("dpkg-query", "-W", "chatbox").stdout
    assert service.settled() and service.state() == "active"
    assert fresh.show("chatbox", "MainPID") != first, "the new program runs"
    assert (service.etc / "chatbox.yaml").read_text() == settings
    again = Chat(service, chat.user, session_id=chat.session)
    assert again.session == chat.session and again.turn("more").seq > 2
    again.close()

    fresh.run("dpkg", "--remove", "chatbox")
    assert service.state() == "inactive"
    assert (fresh.root / "var/lib/private/chatbox/chatbox.db").exists(), "data stays"
    assert (folder / "jwt-secret").exists() and (service.etc / "chatbox.yaml").exists()
    fresh.run("dpkg", "--purge", "chatbox")
    assert files(fresh.root) == before, "nothing is left, and nothing else is gone"

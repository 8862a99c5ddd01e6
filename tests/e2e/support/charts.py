# SPDX-License-Identifier: MIT
"""The Helm chart and the plain manifests, as documents, and the settings that a pod
of theirs is given."""

import functools
import json
import re
import shutil
import subprocess

import yaml

from .server import ROOT, run_cli

HELM = shutil.which("helm", path=str(ROOT / ".tools/go/bin")) or "helm"
CHART = ROOT / "deploy/helm/chatbox"
PLAIN = ROOT / "deploy/kubernetes"
VALUES = {path.stem: path for path in sorted((ROOT / "deploy/helm/values").glob("*.yaml"))}
SECRETS = "/run/secrets/chatbox"
VALIDATE = ROOT / ".venv-cluster/bin/kubernetes-validate"
POD_IP = "10.244.1.7"
NAMES = re.compile(r"^# *# ((?:[A-Z][\w]*(?:, )?)+);", re.M)


def helm(*arguments):
    """The finished process, with text."""
    return subprocess.run([HELM, *arguments], capture_output=True, text=True,
                          check=False, timeout=120)


def template(*arguments, values=None):
    more = ["--values", VALUES[values]] if values else []
    return helm("template", "chatbox", CHART, "--namespace", "chatbox",
                "--kube-version", "1.31.0", *more, *arguments)


def rendered(*arguments, values=None):
    """The documents of the chart with these values."""
    result = template(*arguments, values=values)
    assert result.returncode == 0, result.stderr
    return [one for one in yaml.safe_load_all(result.stdout) if one]


def refused(*arguments, values=None):
    """Why nothing is made."""
    result = template(*arguments, values=values)
    assert result.returncode != 0 and result.stdout == "", result.stdout
    return result.stderr


def settings(*pairs):
    """Arguments for values: "a.b=c"."""
    return [word for pair in pairs for word in ("--set", pair)]


def plain(store):
    """The documents of a folder of plain manifests."""
    return [one for path in sorted((PLAIN / store).rglob("*.yaml"))
            for one in yaml.safe_load_all(path.read_text()) if one]


def of_kind(documents, *kinds):
    """The one document of these kinds; None when there is none."""
    found = [one for one in documents if one["kind"] in kinds]
    assert len(found) < 2, f"{len(found)} of {kinds}"
    return found[0] if found else None


def pod(documents):
    return of_kind(documents, "StatefulSet", "Deployment")["spec"]["template"]["spec"]


def containers(documents):
    spec = pod(documents)
    return [*spec["initContainers"], *spec["containers"]]


def environment(documents, container, secrets, pod_ip=POD_IP):
    """What the process sees, with the mounted files in the folder `secrets`."""
    env = {}
    for source in container.get("envFrom", []):
        name = source["configMapRef"]["name"]
        [found] = [one for one in documents if one["kind"] == "ConfigMap"
                   and one["metadata"]["name"] == name]
        env.update(found["data"])
    for one in container.get("env", []):  # in order: a value may name an earlier one
        env[one["name"]] = pod_ip if "valueFrom" in one else re.sub(
            r"\$\((\w+)\)", lambda found: env[found[1]], one["value"])
    return {name: value.replace(SECRETS, str(secrets)) for name, value in env.items()}


def mounted(documents):
    """The names of the files that the secrets' volume has."""
    [volume] = [one for one in pod(documents)["volumes"] if one["name"] == "secrets"]
    return [item["path"] for item in volume["secret"]["items"]]


@functools.cache
def known():
    """Every environment name of the program; n stands for a number."""
    text = run_cli("config", "--example").stdout
    return {name for line in NAMES.findall(text) for name in line.split(", ")}


def is_known(name):
    return re.sub(r"_\d+_", "_n_", name) in known()


def secret_names():
    return {name for name in known() if f"{name}_FILE" in known()}


def validate_extensions(*files):
    """[(kind, "passed" or what is wrong)] by the extensions' own schemas."""
    python = ROOT / ".venv-cluster/bin/python"
    result = subprocess.run([python, ROOT / "tests/e2e/cluster/extensions.py",
                             ROOT / ".tools/crds", *files], capture_output=True,
                            text=True, check=True, timeout=120)
    return [tuple(line.split(" ", 1)) for line in result.stdout.splitlines()]


def judged_as_restricted(templates):
    """"allowed", or what is forbidden, of each pod template, by Kubernetes' own code."""
    result = subprocess.run([ROOT / ".tools/go/bin/restricted"], input=json.dumps(templates),
                            capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def validate(version, *files):
    """kubernetes-validate over the files; what it says of each document."""
    result = subprocess.run([VALIDATE, "--strict", "-k", version, *files],
                            capture_output=True, text=True, check=False, timeout=120)
    return result.returncode, (result.stdout + result.stderr).splitlines()

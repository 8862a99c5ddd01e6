# SPDX-License-Identifier: MIT
"""The Helm chart and the manifests made of it (docs/deployment/kubernetes.md)."""

import copy
import json
import re
import subprocess

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from support.charts import (CHART, PLAIN, VALUES, containers, environment, helm,
                            is_known, judged_as_restricted, known, mounted, of_kind,
                            plain, pod, refused, rendered, secret_names, settings,
                            template, validate, validate_extensions)
from support.server import ROOT, run_cli
from support.tokens import SECRET

GOOD = {"JWT_SECRET": SECRET, "LLM_PROVIDER_1_API_KEY": "sk-" + "9f3b1c77" * 4,
        "MONGO_URI": "mongodb://chatbox:f00dcafe@db-0.db,db-1.db/?replicaSet=rs0",
        "ENCRYPTION_KEYS": "k1:" + "A" * 43 + "=", "S3_SECRET_ACCESS_KEY": "0x7e" * 10}
# What Kubernetes does not have itself, but one of its extensions.
EXTENSIONS = {"HTTPRoute", "ServiceMonitor", "ExternalSecret", "SealedSecret"}
VERSIONS = ["1.25.0", "1.28.0", "1.31.0", "1.34.0", "1.37.0"]


@pytest.fixture(params=[*VALUES, "nothing"])
def chart(request):
    """What the chart makes of each file of values, and of none."""
    return rendered(values=None if request.param == "nothing" else request.param)


def put(folder, names):
    for name in names:
        (folder / name).write_text(GOOD[name] + "\n")


# --- form

@pytest.mark.parametrize("values", [None, *VALUES])
def test_helm_lint_has_nothing_to_say(values):
    more = ["--values", VALUES[values]] if values else []
    result = helm("lint", "--strict", "--kube-version", "1.31.0", CHART, *more)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "[WARNING]" not in result.stdout and "[ERROR]" not in result.stdout


def test_the_plain_manifests_are_those_of_the_chart():
    result = subprocess.run([ROOT / "tools/manifests", "--check"], check=False,
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid(version, tmp_path):
    files = sorted(PLAIN.rglob("*.yaml"))
    for name in [None, *VALUES]:
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(template(values=name).stdout)
    documents = [one for path in files for one in yaml.safe_load_all(path.read_text()) if one]
    status, said = validate(version, *files)
    own = [one for one in documents if one["kind"] not in EXTENSIONS]
    assert status == 0 and len([line for line in said if " passed for " in line]) == len(own)
    unknown = [line for line in said if " passed for " not in line]
    assert len(unknown) == len(documents) - len(own), unknown
    assert all("Couldn't find schema" in line for line in unknown), unknown


# Each other than what holds by itself.
ALL = {
    "image": {"repository": "registry.example.org/team/chatbox", "digest": "sha256:" + "a" * 64,
              "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "pull"}], "replicas": 0, "pathPrefix": "/", "port": 9000,
    "persistence": {"size": "77Gi", "storageClass": "fast", "accessMode": "ReadWriteOncePod"},
    "secret": {"name": "other"}, "config": {"RATE_LIMIT": 5, "JWT_REQUIRE_EXP": True},
    "shutdown": {"drainDelaySeconds": 7, "timeoutSeconds": 77},
    "resources": {"requests": {"cpu": "3"}, "limits": {"memory": "3Gi"}},
    "service": {"type": "LoadBalancer", "port": 8000, "sessionAffinity": "ClientIP",
                "annotations": {"service.example": "s"}},
    "ingress": {"enabled": True, "className": "traefik", "host": "a.example", "tlsSecret": "t",
                "annotations": {"ingress.example": "i"}},
    "gateway": {"enabled": True, "name": "g", "namespace": "gs", "sectionName": "h",
                "host": "b.example"},
    "podDisruptionBudget": {"maxUnavailable": 0},
    "networkPolicy": {"from": [{"podSelector": {}}], "dns": [{"podSelector": {}}],
                      "database": {"port": 27018, "to": [{"podSelector": {}}]},
                      "publicPorts": [443, 465],
                      "extraEgress": [{"to": [{"podSelector": {"matchLabels": {"a": "model"}}}],
                                       "ports": [{"protocol": "TCP", "port": 11434}]}]},
    "serviceMonitor": {"enabled": True, "interval": "15s", "labels": {"release": "p"}},
    "serviceAccount": {"annotations": {"account.example": "a"}}, "userId": 2000,
    "podLabels": {"team": "chat"}, "podAnnotations": {"pod.example": "p"},
    "nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "k", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 1, "preference": {"matchExpressions": [
            {"key": "zone", "operator": "In", "values": ["z"]}]}}]}},
    "priorityClassName": "high",
    "topologySpreadConstraints": [{"maxSkew": 2, "topologyKey": "node",
                                   "whenUnsatisfiable": "DoNotSchedule"}]}
MONGO = {"store": "mongo", "secret": {"name": "other", "keys": ["JWT_SECRET", "MONGO_URI"]},
         "persistence": {**ALL["persistence"], "accessMode": "ReadWriteMany"},
         "cluster": {"port": 9001, "podNetworks": ["10.9.0.0/16", "10.10.0.0/16"]},
         "config": {"TRUSTED_PROXIES": "192.0.2.7"},
         "podDisruptionBudget": {"minAvailable": 11},
         "autoscaling": {"enabled": True, "minReplicas": 12, "maxReplicas": 13, "cpu": 66,
                         "connections": 4321, "connectionsMetric": "other_name"}}


def leaves(value):
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        yield str(value)
        return
    for one in value:
        yield from leaves(one)


@pytest.mark.parametrize("more", [{}, MONGO], ids=["sqlite", "mongo"])
def test_all_that_can_be_said_is_heard_and_valid(more, tmp_path):
    values, made = tmp_path / "all.yaml", tmp_path / "made.yaml"
    values.write_text(yaml.safe_dump({**ALL, **more}))
    unsaid = {"autoscaling", "cluster", "store", *more}
    assert set(yaml.safe_load((CHART / "values.yaml").read_text())) == {*ALL, *unsaid}
    made.write_text(template("--values", str(values)).stdout)
    documents = [one for one in yaml.safe_load_all(made.read_text()) if one]
    heard = {one.removesuffix("s") for one in leaves(documents)}  # 77s, of seconds
    [image] = {one["image"] for one in containers(documents)}
    settings_of = of_kind(documents, "ConfigMap")["data"]
    heard |= {*image.split("@"), *settings_of["TRUSTED_PROXIES"].split(","), "True",
              *([] if more else ["27018"])}
    assert {one.removesuffix("s") for one in leaves({**ALL, **more})} - heard <= {"mongo"}
    assert validate(VERSIONS[-1], made)[0] == validate(VERSIONS[0], made)[0] == 0
    probes = {containers(documents)[1][f"{name}Probe"]["httpGet"]["path"]
              for name in ("startup", "liveness", "readiness")}
    assert probes == {"/healthz", "/readyz"}, "without a prefix"


def test_every_manifest_of_an_extension_is_valid(tmp_path):
    """By what the extensions themselves say of their kinds."""
    documents = [one for path in sorted(PLAIN.rglob("*.yaml"))
                 for one in yaml.safe_load_all(path.read_text())
                 if one["kind"] in EXTENSIONS]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(documents))
    said = validate_extensions(tmp_path / "all.yaml")
    assert [kind for kind, _ in said] == [one["kind"] for one in documents]
    assert {kind for kind, _ in said} == EXTENSIONS
    assert {word for _, word in said} == {"passed"}, said
    for one in documents:  # and the judge is not blind
        one["spec"]["slip"] = 1
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(documents))
    assert all("'slip' was unexpected" in word for _, word in
               validate_extensions(tmp_path / "all.yaml"))


def test_a_manifest_that_is_wrong_is_noticed(tmp_path):
    """The judge of the test above is not blind."""
    document = of_kind(plain("sqlite"), "StatefulSet")
    document["spec"]["template"]["spec"]["terminationGracePeriod"] = 45
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(document))
    status, said = validate(VERSIONS[0], tmp_path / "wrong.yaml")
    assert status != 0 and "terminationGracePeriod" in "".join(said)


# --- what cannot work

PODS = ["store=mongo", "secret.keys={JWT_SECRET,MONGO_URI}",
        "cluster.podNetworks={10.244.0.0/16}"]
MANY = [*PODS, "persistence.accessMode=ReadWriteMany"]


@pytest.mark.parametrize("pairs,why", [
    (["replicas=2"], "replicas is more than 1, and store is sqlite"),
    (["autoscaling.enabled=true"], "autoscaling.enabled is set, and store is sqlite"),
    (["persistence.accessMode=ReadWriteMany"], "network file systems lie about locks"),
    ([*PODS[:2], "replicas=1"], "cluster.podNetworks is empty"),
    (PODS, "there may be 2 pods, and uploaded files would be on a volume of one"),
    ([*PODS, "replicas=3", "persistence.accessMode=ReadWriteOncePod"],
     "there may be 3 pods, and uploaded files"),
    ([*PODS, "replicas=1", "autoscaling.enabled=true"], "there may be 4 pods"),
    ([*MANY, "cluster.port=8080"], "cluster.port and port are the same"),
    ([*MANY, "cluster.podNetworks={10.244.0.0}"], "podNetworks"),
    ([*MANY, "autoscaling.enabled=true", "autoscaling.minReplicas=5"],
     "autoscaling.minReplicas is more than"),
    ([*MANY, "autoscaling.enabled=true", "autoscaling.cpu=0"], "nothing to go by"),
    ([*MANY, "config.CLUSTER_ADDRESS=10.0.0.3:1"], "CLUSTER_ADDRESS is the chart's own"),
    ([*PODS[:1], *MANY[2:]], "secret.keys does not name MONGO_URI"),
    (["config.UPLOAD_STORE=s3"], "does not name S3_SECRET_ACCESS_KEY"),
    (["persistence.enabled=false"], "enabled is not allowed"),
    (["secret.keys={LLM_PROVIDER_1_API_KEY}"], "JWT_PUBLIC_KEY in secret.keys"),
    (["secret.keys={LLM_PROVIDER_1_API_KEY}"], "nobody could log in"),
    (["config.SERVER_PORT=9"], "config.SERVER_PORT is the chart's own"),
    (["config.SHUTDOWN_TIMEOUT=1h"], "config.SHUTDOWN_TIMEOUT is the chart's own"),
    (["config.JWT_SECRET=x"], "config.JWT_SECRET is a secret"),
    (["store=postgres"], "store"), (["replica=1"], "replica is not allowed"),
    (["replicas=-1"], "replicas"), (["ingress.hots=a"], "hots is not allowed"),
    (["config.lower=a"], "lower"), (["port=80"], "port")])
def test_what_cannot_work_is_refused_in_a_sentence(pairs, why):
    assert why in refused(*settings(*pairs))


def test_every_secret_of_the_program_is_refused_as_a_setting():
    """Req 6.1: and nothing else is."""
    secrets = [name.replace("_n_", "_1_") for name in sorted(secret_names())]
    assert len(secrets) > 8 and "JWT_SECRET" in secrets
    for name in secrets:
        assert f"config.{name} is a secret" in refused(*settings(f"config.{name}=x"))
    yours = yaml.safe_load((CHART / "values.yaml").read_text())["config"]
    own = {"CLUSTER_ADDRESS", *of_kind(rendered(), "ConfigMap")["data"].keys() - yours.keys()}
    for name in own:
        assert "is the chart's own" in refused(*settings(f"config.{name}=x"))
    others = {name.replace("_n_", "_1_") for name in known() if not name.endswith("_FILE")}
    rendered(*settings(*(f"config.{name}=x" for name in others - {*secrets, *own})))


def test_two_pods_never_have_one_file():
    """A StatefulSet replaces a pod when it has gone."""
    documents = plain("sqlite")
    workload = of_kind(documents, "StatefulSet")
    assert workload["spec"]["replicas"] == 1
    assert of_kind(documents, "HorizontalPodAutoscaler") is None
    assert workload["spec"]["podManagementPolicy"] == "Parallel"
    [claim] = workload["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert workload["spec"].get("updateStrategy", {}).get("type", "RollingUpdate") \
        == "RollingUpdate"


# --- what the pod promises

def test_pods_keep_to_the_restricted_standard(chart):
    """By the code that judges them in the cluster, and a little more."""
    whole = of_kind(chart, "StatefulSet", "Deployment")["spec"]["template"]
    open_one = copy.deepcopy(whole)
    open_one["spec"]["initContainers"][0]["securityContext"]["capabilities"] = {}
    allowed, forbidden = judged_as_restricted([whole, open_one])
    assert allowed == "allowed"
    assert "capabilities" in forbidden and '"check"' in forbidden, "the judge is not blind"
    assert whole["spec"]["automountServiceAccountToken"] is False
    assert all(one["securityContext"]["readOnlyRootFilesystem"] is True
               for one in containers(chart))
    [namespace] = yaml.safe_load_all((PLAIN / "namespace.yaml").read_text())
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("drain,stop", [(5, 30), (0, 1), (60, 3600)])
def test_the_grace_is_longer_than_a_stop_takes(drain, stop, tmp_path):
    documents = rendered(*settings(f"shutdown.drainDelaySeconds={drain}",
                                   f"shutdown.timeoutSeconds={stop}"))
    assert pod(documents)["terminationGracePeriodSeconds"] > drain + stop
    env = environment(documents, containers(documents)[1], tmp_path)
    assert (env["SHUTDOWN_DRAIN_DELAY"], env["SHUTDOWN_TIMEOUT"]) == (f"{drain}s", f"{stop}s")
    assert "lifecycle" not in containers(documents)[1], "the server drains by itself"


def test_whoever_selects_the_pod_finds_it(chart):
    workload = of_kind(chart, "StatefulSet", "Deployment")
    labels = workload["spec"]["template"]["metadata"]["labels"].items()
    selectors = [of_kind(chart, "Service")["spec"]["selector"],
                 workload["spec"]["selector"]["matchLabels"],
                 of_kind(chart, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
                 of_kind(chart, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
                 *[one["labelSelector"]["matchLabels"] for one in
                   pod(chart)["topologySpreadConstraints"]]]
    assert all(one.items() <= labels for one in selectors)
    monitor = of_kind(chart, "ServiceMonitor")
    if monitor:
        service = of_kind(chart, "Service")["metadata"]["labels"].items()
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service


def test_ports_and_names_meet(chart):
    port = containers(chart)[1]["ports"][0]
    env = environment(chart, containers(chart)[1], "/")
    assert str(port["containerPort"]) == env["SERVER_PORT"]
    [offered] = of_kind(chart, "Service")["spec"]["ports"]
    assert offered["targetPort"] == port["name"]
    ingress, route = of_kind(chart, "Ingress"), of_kind(chart, "HTTPRoute")
    if ingress:
        paths = ingress["spec"]["rules"][0]["http"]["paths"]
        assert [(path["pathType"], path["path"]) for path in paths] \
            == [("Prefix", env["CHATBOX_PATH_PREFIX"]), ("Exact", "/api/upload")]
        assert all(path["backend"]["service"] == {"name": "chatbox", "port": {"name": "http"}}
                   for path in paths)
    if route:
        [rule] = route["spec"]["rules"]
        assert rule["backendRefs"] == [{"name": "chatbox", "port": offered["port"]}]
        assert [(each["path"]["type"], each["path"]["value"]) for each in rule["matches"]] \
            == [("PathPrefix", env["CHATBOX_PATH_PREFIX"]), ("Exact", "/api/upload")]


def test_streams_are_neither_buffered_nor_cut(chart):
    """Longer than a silence of ours: sockets are pinged within WS_PING_PERIOD, a model
    may take LLM_STREAM_TIMEOUT."""
    ingress, route = of_kind(chart, "Ingress"), of_kind(chart, "HTTPRoute")
    if ingress:
        said = {name.rpartition("/")[2]: value for name, value in
                ingress["metadata"]["annotations"].items()}
        assert said["proxy-buffering"] == "off" and said["proxy-next-upstream"] == "off"
        assert int(said["proxy-read-timeout"]) > 120
        assert int(said["proxy-send-timeout"]) > 120
    if route:
        assert route["spec"]["rules"][0]["timeouts"] == {"request": "0s",
                                                         "backendRequest": "0s"}


def ports(rule):
    return {(one["protocol"], one["port"]) for one in rule["ports"]}


@pytest.mark.parametrize("store", VALUES)
def test_the_network_policy_lets_through_what_is_needed(store):
    spec = of_kind(plain(store), "NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    coming, *others = spec["ingress"]
    assert ports(coming) == {("TCP", "http")} and len(coming["from"]) == 2
    names, *more, public = spec["egress"]
    assert ports(names) == {("UDP", 53), ("TCP", 53)}
    with_mongo = store != "sqlite"
    assert [ports(one) for one in others] == [{("TCP", "cluster")}] * with_mongo
    assert [ports(one) for one in more] \
        == [{("TCP", 27017)}, {("TCP", 8081)}] * with_mongo
    assert ports(public) == {("TCP", 443), ("TCP", 587)}
    four, six = (one["ipBlock"] for one in public["to"])
    assert four["cidr"] == "0.0.0.0/0" and six["cidr"] == "::/0"
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
            "169.254.0.0/16"} <= set(four["except"]), "the cluster and its metadata service"
    assert {"fc00::/7", "fe80::/10"} <= set(six["except"])


# --- settings and secrets

def test_every_name_is_a_setting_of_the_program(chart):
    """A name with a slip in it would be ignored."""
    assert len(known()) > 100
    for one in containers(chart):
        names = environment(chart, one, "/").keys() - {"POD_IP"}  # of CLUSTER_ADDRESS
        assert [name for name in names if not is_known(name)] == []


def test_no_manifest_holds_a_secret():
    """Req 6.1, 6.5: what is in the templates is refused by the server itself, each one."""
    for name in VALUES:
        assert of_kind(plain(name), "Secret") is None
    example = yaml.safe_load((PLAIN / "secret/secret.example.yaml").read_text())
    for name, value in example["stringData"].items():
        assert name.replace("_1_", "_n_") in secret_names()
        result = run_cli("check", env={name: value})
        assert result.returncode == 78
        assert [line for line in result.stderr.splitlines()
                if f"({name})" in line and "is a placeholder" in line], name
    offered = {name.replace("_1_", "_n_") for name in example["stringData"]}
    assert secret_names() - offered == {"ENCRYPTION_KEY"}, "its older form"


@pytest.mark.parametrize("store", VALUES)
def test_the_servers_own_check_takes_what_the_pod_is_given(store, tmp_path):
    documents = plain(store)
    check, serve = containers(documents)
    assert check["command"] == ["/usr/bin/chatbox", "check"] and check["name"] == "check"
    assert serve["command"] == ["/usr/bin/chatbox", "serve"]
    env = environment(documents, check, tmp_path)
    assert env == environment(documents, serve, tmp_path), "what is checked is what runs"
    put(tmp_path, mounted(documents))
    result = run_cli("check", env=env)
    assert result.returncode == 0, result.all
    assert "warn" not in result.stderr, result.stderr
    assert f"store.kind: {store.partition('-')[0]}" in result.stdout


def test_a_pod_outside_of_the_named_networks_is_told_before_there_is_traffic(tmp_path):
    """Else it would not be believed, and all who come by it would be one client."""
    documents = plain("mongo")
    put(tmp_path, mounted(documents))
    env = environment(documents, containers(documents)[0], tmp_path, pod_ip="100.64.3.7")
    result = run_cli("check", env=env)
    assert result.returncode == 78
    [said] = result.stderr.splitlines()
    assert "CLUSTER_ADDRESS" in said and "TRUSTED_PROXIES" in said


@pytest.mark.parametrize("store", VALUES)
def test_every_secret_that_is_missing_or_weak_is_named_at_once(store, tmp_path):
    """Req 6.4: by the init container, before there is traffic."""
    documents = plain(store)
    check = containers(documents)[0]
    assert {f"{name}_FILE" for name in mounted(documents)} \
        == {one["name"] for one in check["env"]} - {"POD_IP", "CLUSTER_ADDRESS"}
    env = environment(documents, check, tmp_path)
    result = run_cli("check", env=env)
    assert result.returncode == 78
    for name in mounted(documents):
        assert f"({name})" in result.stderr, "a Secret that is not there"
    put(tmp_path, mounted(documents))
    (tmp_path / "JWT_SECRET").write_text("password" * 5)
    (tmp_path / "LLM_PROVIDER_1_API_KEY").write_text("REPLACE_WITH_key")
    result = run_cli("check", env=env)
    assert result.returncode == 78
    said = [json.loads(line)["msg"] for line in result.stderr.splitlines()]
    assert any("auth.jwt_secret" in line and "weak word" in line for line in said)
    assert any("api_key" in line and "is a placeholder" in line for line in said)
    assert len(said) == 2, said


def test_without_a_model_the_check_says_so(tmp_path):
    """What the chart makes of no values at all does not run half."""
    documents = rendered()
    put(tmp_path, mounted(documents))
    result = run_cli("check", env=environment(documents, containers(documents)[0], tmp_path))
    assert result.returncode == 78 and "llm.providers" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_setting_that_is_a_file_comes_from_the_secret_too(tmp_path):
    documents = rendered("--set", "secret.keys={JWT_PUBLIC_KEY,LLM_PROVIDER_1_API_KEY}",
                         values="sqlite")
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    (tmp_path / "JWT_PUBLIC_KEY").write_bytes(key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    put(tmp_path, ["LLM_PROVIDER_1_API_KEY"])
    result = run_cli("check", env=environment(documents, containers(documents)[0], tmp_path))
    assert result.returncode == 0, result.all


def test_files_may_be_in_s3(tmp_path):
    keys = ["JWT_SECRET", "MONGO_URI", "LLM_PROVIDER_1_API_KEY", "ENCRYPTION_KEYS",
            "S3_SECRET_ACCESS_KEY"]
    documents = rendered(*settings(
        f"secret.keys={{{','.join(keys)}}}", "config.UPLOAD_STORE=s3", "config.S3_BUCKET=b",
        "config.S3_ENDPOINT=https://s3.example.com", "config.S3_ACCESS_KEY_ID=i"),
        values="mongo")
    put(tmp_path, keys)
    result = run_cli("check", env=environment(documents, containers(documents)[0], tmp_path))
    assert result.returncode == 0, result.all
    assert "upload.store: s3" in result.stdout


def test_secrets_come_as_files_that_may_be_missing(chart):
    """Req 6.2: so that the server says which, and not Kubernetes one of them."""
    [volume] = [one for one in pod(chart)["volumes"] if one["name"] == "secrets"]
    assert volume["secret"]["optional"] is True
    assert volume["secret"]["defaultMode"] == 0o440
    for one in containers(chart):
        assert not [each for each in one["env"] if "secretKeyRef" in each.get("valueFrom", {})]
        assert all("secretRef" not in source for source in one["envFrom"])


@pytest.mark.parametrize("file,kind", [("external-secret", "ExternalSecret"),
                                       ("sealed-secret", "SealedSecret")])
def test_the_examples_make_the_secret_that_the_pod_reads(file, kind):
    path = PLAIN / f"secret/{file}.example.yaml"
    document = yaml.safe_load(path.read_text())
    assert document["kind"] == kind
    spec = document["spec"]
    [volume] = [one for one in pod(plain("sqlite"))["volumes"] if one["name"] == "secrets"]
    made = spec["target"] if kind == "ExternalSecret" else spec["template"]["metadata"]
    assert made["name"] == volume["secret"]["secretName"]
    names = ([one["secretKey"] for one in spec["data"]] if kind == "ExternalSecret"
             else list(spec["encryptedData"]))
    assert names == mounted(plain("sqlite"))


def test_the_page_says_how_each_secret_is_made_and_changed():
    """Req 6.3."""
    text = (ROOT / "docs/deployment/kubernetes.md").read_text()
    rows = [line.split("|")[1:4] for line in text.splitlines()
            if line.startswith("| `")]
    said = {name for cells in rows if all(cell.strip() for cell in cells)
            for name in re.findall("`([A-Z0-9_n]+)`", cells[0])}
    assert secret_names() - said == {"ENCRYPTION_KEY"}, "its older form"

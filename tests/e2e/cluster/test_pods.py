# SPDX-License-Identifier: MIT
"""What the chart makes of several pods with MongoDB (docs/decisions/0060)."""

import pytest
import yaml

from support.charts import (POD_IP, containers, environment, mounted, of_kind, plain, pod,
                            rendered, settings, validate)

MONGO = ["store=mongo", "secret.keys={JWT_SECRET,MONGO_URI}",
         "cluster.podNetworks={10.244.0.0/16}"]
MANY = [*MONGO, "persistence.accessMode=ReadWriteMany"]
SCALED = [*MANY, "autoscaling.enabled=true", "autoscaling.connections=5000"]


def labels(documents):
    return of_kind(documents, "Deployment")["spec"]["template"]["metadata"]["labels"].items()


def volume(documents, name):
    [found] = [one for one in pod(documents)["volumes"] if one["name"] == name]
    return found


# --- pods that come and go

def test_a_new_pod_is_there_before_an_old_one_goes():
    documents = rendered(*settings(*MANY))
    spec = of_kind(documents, "Deployment")["spec"]
    assert spec["replicas"] == 2, "unless something else is said"
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {
        "maxSurge": 1, "maxUnavailable": 0}}
    claim = of_kind(documents, "PersistentVolumeClaim")["spec"]
    assert claim["accessModes"] == ["ReadWriteMany"]
    spread = {one["topologyKey"]: one["whenUnsatisfiable"]
              for one in pod(documents)["topologySpreadConstraints"]}
    assert spread == {"topology.kubernetes.io/zone": "ScheduleAnyway",
                      "kubernetes.io/hostname": "ScheduleAnyway"}


@pytest.mark.parametrize("mode", ["ReadWriteOnce", "ReadWriteOncePod"])
def test_one_pod_with_a_volume_of_its_own_goes_before_the_next_one_comes(mode):
    """The next one would wait for the volume, and the update for the next one."""
    documents = rendered(*settings(*MONGO, "replicas=1", f"persistence.accessMode={mode}"))
    spec = of_kind(documents, "Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert of_kind(documents, "PersistentVolumeClaim")["spec"]["accessModes"] == [mode]


def test_pods_with_files_in_s3_have_no_volume_to_wait_for():
    documents = plain("mongo-s3")
    assert of_kind(documents, "PersistentVolumeClaim") is None
    assert volume(documents, "data") == {"name": "data", "emptyDir": {}}
    strategy = of_kind(documents, "Deployment")["spec"]["strategy"]
    assert strategy["type"] == "RollingUpdate"
    one = rendered(*settings("replicas=1", "autoscaling.enabled=false"), values="mongo-s3")
    assert of_kind(one, "Deployment")["spec"]["strategy"] == strategy


@pytest.mark.parametrize("pairs,wanted", [
    ([], {"maxUnavailable": 1}),
    (["podDisruptionBudget.maxUnavailable=0"], {"maxUnavailable": 0}),
    (["podDisruptionBudget.minAvailable=1"], {"minAvailable": 1})])
def test_a_drained_node_leaves_a_pod_that_follows(pairs, wanted):
    budget = of_kind(rendered(*settings(*MANY, *pairs)), "PodDisruptionBudget")["spec"]
    assert {name: n for name, n in budget.items() if name != "selector"} == wanted


# --- how they reach each other

def test_each_pod_says_its_own_address():
    documents = plain("mongo")
    for one in containers(documents):
        names = [each["name"] for each in one["env"]]
        assert names.index("POD_IP") < names.index("CLUSTER_ADDRESS"), "else it is no word"
        [source] = [each["valueFrom"] for each in one["env"] if each["name"] == "POD_IP"]
        assert source == {"fieldRef": {"fieldPath": "status.podIP"}}
        assert environment(documents, one, "/")["CLUSTER_ADDRESS"] == f"{POD_IP}:8081"
    offered = {one["name"]: one["containerPort"] for one in containers(documents)[1]["ports"]}
    assert offered == {"http": 8080, "cluster": 8081}
    assert "cluster" not in {one["targetPort"] for one in
                             of_kind(documents, "Service")["spec"]["ports"]}
    for one in containers(plain("sqlite")):
        assert "CLUSTER_ADDRESS" not in environment(plain("sqlite"), one, "/")


def test_addresses_of_ipv6_have_brackets():
    documents = rendered(*settings(*MANY, "cluster.podNetworks={fd00:10::/56}",
                                   "cluster.port=9001"))
    env = environment(documents, containers(documents)[1], "/", pod_ip="fd00:10::7")
    assert env["CLUSTER_ADDRESS"] == "[fd00:10::7]:9001"
    assert "fd00:10::/56" in env["TRUSTED_PROXIES"].split(",")


def test_only_pods_of_the_release_reach_the_port_of_pods():
    documents = rendered(*settings(*MANY, "cluster.port=9001"))
    spec = of_kind(documents, "NetworkPolicy")["spec"]
    [coming] = [one for one in spec["ingress"] if one["ports"][0]["port"] == "cluster"]
    [going] = [one for one in spec["egress"] if one["ports"][0]["port"] == 9001]
    for peers in (coming["from"], going["to"]):
        [selector] = peers
        assert selector.keys() == {"podSelector"}, "of this namespace"
        assert selector["podSelector"]["matchLabels"].items() <= labels(documents)
    others = [one for one in spec["ingress"] if one is not coming]
    assert [each["port"] for one in others for each in one["ports"]] == ["http"]


@pytest.mark.parametrize("pairs,wanted", [
    ([], ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "10.244.0.0/16"]),
    (["config.TRUSTED_PROXIES=192.0.2.7"], ["192.0.2.7", "10.244.0.0/16"]),
    (["config.TRUSTED_PROXIES=null"], ["10.244.0.0/16"]),
    (["cluster.podNetworks={10.1.0.0/16,10.2.0.0/16}", "config.TRUSTED_PROXIES=null"],
     ["10.1.0.0/16", "10.2.0.0/16"])])
def test_pods_are_believed_beside_the_proxies(pairs, wanted):
    documents = rendered(*settings(*MANY, *pairs))
    said = of_kind(documents, "ConfigMap")["data"]["TRUSTED_PROXIES"]
    assert said.split(",") == wanted


def test_pods_with_sqlite_are_not_believed():
    documents = rendered(*settings("config.TRUSTED_PROXIES=null",
                                   "cluster.podNetworks={10.244.0.0/16}"))
    assert "TRUSTED_PROXIES" not in of_kind(documents, "ConfigMap")["data"]


# --- how many there are

def test_the_number_of_pods_goes_by_their_work():
    documents = rendered(*settings(*SCALED))
    deployment = of_kind(documents, "Deployment")
    assert "replicas" not in deployment["spec"], "an upgrade would set it back"
    spec = of_kind(documents, "HorizontalPodAutoscaler")["spec"]
    target = spec["scaleTargetRef"]
    assert (target["apiVersion"], target["kind"], target["name"]) == (
        deployment["apiVersion"], deployment["kind"], deployment["metadata"]["name"])
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 4)
    assert spec["metrics"] == [
        {"type": "Resource", "resource": {
            "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}},
        {"type": "Pods", "pods": {
            "metric": {"name": "chatbox_connections"},
            "target": {"type": "AverageValue", "averageValue": "5000"}}}]
    assert containers(documents)[1]["resources"]["requests"]["cpu"], "of which the percents are"


@pytest.mark.parametrize("pairs,kinds", [
    ([], ["Resource"]),
    (["autoscaling.connections=5000", "autoscaling.cpu=0"], ["Pods"])])
def test_what_is_not_wanted_is_not_looked_at(pairs, kinds):
    documents = rendered(*settings(*MANY, "autoscaling.enabled=true", *pairs))
    metrics = of_kind(documents, "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert [one["type"] for one in metrics] == kinds


@pytest.mark.parametrize("version", ["1.25.0", "1.31.0", "1.37.0"])
@pytest.mark.parametrize("pairs", [SCALED, [*MONGO, "replicas=1"]], ids=["scaled", "one"])
def test_what_no_shipped_file_makes_is_valid_too(version, pairs, tmp_path):
    (tmp_path / "made.yaml").write_text(yaml.safe_dump_all(rendered(*settings(*pairs))))
    status, said = validate(version, tmp_path / "made.yaml")
    assert status == 0, said

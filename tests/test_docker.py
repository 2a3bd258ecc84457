"""Nobody ran the images yet, so what can be held against the code is: settings, names, ports, paths, versions."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from shelftalk.modelling.variants import VARIANTS
from shelftalk.stream.settings import PREFIX, Settings, load, unknown_environment
from shelftalk.stream.topics import topic_specs
from tests.kafka.broker import POM

ROOT = Path(__file__).parent.parent
DOCKERFILES = ("Dockerfile", "Dockerfile.cuda")


def manifests(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "docker" / name).read_text()))


def one(name: str, kind: str) -> dict[str, Any]:
    (found,) = [each for each in manifests(f"kubernetes/{name}.yaml") if each["kind"] == kind]
    return found


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only what a test sets counts."""
    for variable in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)


def settings_of(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    settings = load()
    assert unknown_environment() == []
    return settings


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_sets_what_the_settings_know(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    text = (ROOT / "docker" / name).read_text()
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)
    environment = dict(re.findall(rf"({PREFIX}\w+)=(\S+)", stages[-1]))
    settings = settings_of(monkeypatch, environment)
    assert settings.web.host == "0.0.0.0"  # noqa: S104  inside a container
    assert settings.engine.device == ("cuda" if name.endswith("cuda") else "cpu")
    assert settings.log.form == "json"
    assert f"EXPOSE {settings.web.port}" in text
    assert f"127.0.0.1:{settings.web.port}/health/ready" in text
    assert str(settings.data_dir) in re.findall(r"^VOLUME (\S+)", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_builds_the_model_that_it_uses(name: str) -> None:
    text = (ROOT / "docker" / name).read_text()
    (variant,) = re.findall(r"--variant (\S+)", text)
    (adapter,) = re.findall(r"--adapter (\S+)", text)
    assert variant in VARIANTS
    assert f"MODEL_FOLDER=/opt/model/{variant}" in text
    assert (ROOT / adapter).is_dir()


@pytest.mark.parametrize("name", DOCKERFILES)
def test_what_an_image_copies_is_there_and_not_ignored(name: str) -> None:
    text = (ROOT / "docker" / name).read_text()
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", text, flags=re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
            assert source.split("/")[0] in allowed
    assert text.count("--require-hashes") == 1


def test_compose_runs_the_kafka_that_is_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    (compose,) = manifests("compose.yaml")
    services = compose["services"]
    version = re.search(r"<kafka.version>(.+)</kafka.version>", POM.read_text())
    assert version is not None
    assert services["kafka"]["image"] == f"apache/kafka:{version[1]}"
    environment = services["worker"]["environment"]
    token = environment.pop("SHELFTALK_WEB__TOKEN")
    assert token.startswith("${SHELFTALK_WEB__TOKEN:?")
    settings = settings_of(monkeypatch, environment | {"SHELFTALK_WEB__TOKEN": "t"})
    assert (
        f"INTERNAL://{settings.kafka.bootstrap_servers}"
        in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    )
    assert float(services["worker"]["stop_grace_period"].removesuffix("s")) > settings.deadlines.drain_s
    (scrape,) = manifests("prometheus.yml")[0]["scrape_configs"]
    assert scrape["dns_sd_configs"][0]["port"] == settings.web.port
    (secret,) = services["prometheus"]["secrets"]
    assert compose["secrets"][secret] == {"environment": "SHELFTALK_WEB__TOKEN"}
    assert scrape["authorization"] == {"credentials_file": f"/run/secrets/{secret}"}


@pytest.fixture
def in_kubernetes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """The settings as a worker there reads them."""
    text = one("configmap", "ConfigMap")["data"]["shelftalk.toml"]
    assert tomllib.loads(text)
    file = tmp_path / "mounted.toml"
    file.write_text(text)
    secret = {"SHELFTALK_KAFKA__SASL_USERNAME": "u", "SHELFTALK_KAFKA__SASL_PASSWORD": "p"}
    secret |= {"SHELFTALK_WEB__TOKEN": "t", "SHELFTALK_PRIVACY__PSEUDONYM_KEY": "k" * 32}
    deployment = (ROOT / "docker/kubernetes/deployment.yaml").read_text()
    assert all(f"--from-literal={name}=" in deployment for name in secret)
    return settings_of(monkeypatch, secret | {"SHELFTALK_CONFIG": str(file)})


def test_the_pods_mount_the_configuration_where_they_look_for_it(in_kubernetes: Settings) -> None:
    for name, kind in (("deployment", "Deployment"), ("topics-job", "Job")):
        pod = one(name, kind)["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        (config,) = [entry["value"] for entry in container["env"] if entry["name"] == "SHELFTALK_CONFIG"]
        assert str(Path(config).parent) in mounts
        assert Path(config).name in one("configmap", "ConfigMap")["data"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
    assert one("deployment", "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > (
        in_kubernetes.deadlines.drain_s
    )


def test_the_probes_ask_the_port_that_is_served(in_kubernetes: Settings) -> None:
    template = one("deployment", "Deployment")["spec"]["template"]
    (container,) = template["spec"]["containers"]
    assert container["ports"] == [{"name": "web", "containerPort": in_kubernetes.web.port}]
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(in_kubernetes.web.port)


def test_keda_watches_the_group_and_topics_of_the_worker(in_kubernetes: Settings) -> None:
    spec = one("scaledobject", "ScaledObject")["spec"]
    assert spec["scaleTargetRef"]["name"] == one("deployment", "Deployment")["metadata"]["name"]
    assert spec["maxReplicaCount"] == in_kubernetes.topics.partitions
    watched = [trigger["metadata"] for trigger in spec["triggers"]]
    assert [each["topic"] for each in watched] == [spec.name for spec in topic_specs(in_kubernetes) if spec.exact]
    assert {each["consumerGroup"] for each in watched} == {in_kubernetes.app_id}
    assert {each["bootstrapServers"] for each in watched} == {in_kubernetes.kafka.bootstrap_servers}


def test_the_kustomization_lists_every_manifest() -> None:
    folder = ROOT / "docker/kubernetes"
    (listed,) = manifests("kubernetes/kustomization.yaml")
    assert sorted(listed["resources"]) == sorted(
        path.name for path in folder.iterdir() if path.name != "kustomization.yaml"
    )

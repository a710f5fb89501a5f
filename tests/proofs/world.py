"""The runbook's service on containers: its steps applied once, then one version after another."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from papermill.execute import execute_notebook

from slpnb import local, runbook, service, steps, task
from slpnb.aws import Aws
from slpnb.config import Config, load
from slpnb.engine import LABEL, Engine
from slpnb.image import building
from slpnb.local.base import registry
from slpnb.local.client import ENDPOINT_VARIABLE
from slpnb.repository import NOTEBOOKS_DIR
from slpnb.service import installation, stability
from slpnb.task import task_definition
from tests.proofs.visitors import Visitor

# The later ones are this process's own: another one that proves the same at the same time has others.
OLD, NEW, BROKEN = "1.0.0", f"2.0.{os.getpid()}", f"3.0.{os.getpid()}"
OURS = re.compile(rf"^{re.escape(building.IMAGE)}:[23]\.0\.(\d+)$")
PASSWORD = "administrator-canary-7Hq2"
PACE = 10.0
SETTLE_SECONDS = 60
# Two tasks from the beginning, and room for two more of a new version: nobody waits for an instance.
PARAMETERS = {"cluster": {"min_instances": 2}, "service": {"desired_tasks": 2, "min_tasks": 2}}
TOLD = ("40_secrets", "70_task")  # executed as notebooks: they are the ones that handle secrets
SET_PASSWORD = """\
$_SERVER += ['HTTP_HOST' => getenv('WORDPRESS_HOST'), 'REQUEST_URI' => '/', 'HTTPS' => 'on'];
require '/var/www/html/wp-load.php';
wp_set_password(getenv('PASSWORD'), get_user_by('login', 'admin')->ID);
"""


def parameters(version: str) -> dict[str, Any]:
    return {**PARAMETERS, "apply": True, "image": {"tag": version, "digest": registry.digest(version)}}


@dataclass
class World:
    """``aws`` is the account seen with the parameters of the version that was asked for last."""

    engine: Engine
    embedded: local.Embedded
    folder: Path
    aws: Aws = field(init=False)

    def __post_init__(self) -> None:
        self.aws = self.connect(OLD)

    def connect(self, version: str) -> Aws:
        return runbook.connect_embedded(load("staging", parameters(version)), self.embedded)

    @property
    def config(self) -> Config:
        return self.aws.config

    @property
    def host(self) -> str:
        return self.config.service.host_name

    @property
    def door(self) -> str:
        return self.aws.front_door()

    def real(self) -> dict[str, Any]:
        return local.real(self.embedded.endpoint_url)

    # The runbook

    def prepare(self) -> None:
        """Every step of the runbook, two of them as notebooks, and WordPress installed."""
        for notebook in steps.STEPS:
            if notebook in TOLD:
                self.execute(notebook)
            else:
                self.apply(steps.step(notebook))
            if notebook == "10_image":
                self.push(NEW)
                self.push(BROKEN)
        stability.watch(self.aws)
        verdict = installation.run(self.aws)
        assert verdict.status == "OK", str(verdict)
        said = self.run(SET_PASSWORD, PASSWORD=PASSWORD)
        assert said == "", said

    def apply(self, step: Any) -> None:
        step.plan(step.desired(self.config), step.observe(self.aws)).apply(self.aws)

    def execute(self, notebook: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(ENDPOINT_VARIABLE, self.embedded.endpoint_url)
            execute_notebook(  # type: ignore[no-untyped-call]
                NOTEBOOKS_DIR / f"{notebook}.ipynb",
                self.folder / f"{notebook}.ipynb",
                parameters=parameters(OLD),
                progress_bar=False,
            )

    def push(self, version: str) -> None:
        """What CI would: the declaration of another version. The engine has its image under the same tag."""
        for image in registry.pushed(version).images:
            for tag in image.tags:
                self.aws.client("ecr").put_image(
                    repositoryName=self.config.image.repository,
                    imageManifest=image.content.decode(),
                    imageManifestMediaType=image.media_type,
                    imageTag=tag,
                )

    def ask_for(self, version: str) -> None:
        """A new revision of the task definition, and the service told to run it."""
        self.aws = self.connect(version)
        for step in (task, service):
            self.apply(step)

    def deploy(self, version: str) -> None:
        """`ask_for` it, and wait until it is what runs; at once where it is."""
        self.ask_for(version)
        stability.watch(self.aws)

    def replace_every_task(self) -> None:
        names = {"cluster": self.config.cluster.name, "service": self.config.service.name}
        self.aws.client("ecs").update_service(**names, forceNewDeployment=True)
        stability.watch(self.aws)

    def settle(self) -> None:
        """Until one deployment is left, and it is done: after a roll-back, the one before."""
        end = time.monotonic() + SETTLE_SECONDS
        while [one["rolloutState"] for one in stability.describe(self.aws)["deployments"]] != ["COMPLETED"]:
            assert time.monotonic() < end, stability.describe(self.aws)["deployments"]
            self.aws.sleep(stability.POLL_SECONDS)

    # The tasks

    def tasks(self) -> dict[str, str]:
        """The service's tasks by id, each with its address on the loopback."""
        names = {"cluster": self.config.cluster.name, "serviceName": self.config.service.name}
        arns = self.aws.client("ecs").list_tasks(**names, desiredStatus="RUNNING")["taskArns"]
        known = self.real()["tasks"]
        return {id: known[id]["ports"]["80"] for id in sorted(arn.rpartition("/")[2] for arn in arns)}

    def visitor(self, task: str = "") -> Visitor:
        """Somebody at a task's own door; without one at everybody's."""
        return Visitor(f"http://{self.tasks()[task]}" if task else self.door, self.host)

    def containers(self) -> list[Any]:
        """Every container of this embedded AWS: the tasks', the database's and the front door's."""
        run = self.real()["run"]
        return list(self.engine.client.containers.list(filters={"label": f"{LABEL}={run}"}))

    def run(self, php: str, **environment: str) -> str:
        """What PHP says in one of the tasks; values that nobody may see come by its environment."""
        id = next(iter(self.tasks()))
        (container,) = self.real()["tasks"][id]["containers"].values()
        asked = self.engine.client.containers.get(container)
        return str(asked.exec_run(["php", "-r", php], user="www-data", environment=environment).output.decode())

    # What nobody may read

    def secrets(self) -> dict[str, str]:
        """Each generated value by its name, from the account's secrets of this environment; the administrator's too."""
        client, found = self.aws.client("secretsmanager"), {"administrator": PASSWORD}
        for one in self.aws.pages("secretsmanager", "list_secrets", "SecretList"):
            if one["Name"].startswith(self.config.prefix):
                values = json.loads(client.get_secret_value(SecretId=one["ARN"])["SecretString"])
                found |= {f"{one['Name']}/{key}": str(value) for key, value in values.items()}
        return {name: value for name, value in found.items() if name.rpartition("/")[2] not in CLEAR}

    def log(self) -> list[str]:
        """Every line in the log group of the task definition."""
        group = {"logGroupName": task_definition.log_group(self.config)}
        return [event["message"] for event in self.aws.pages("logs", "filter_log_events", "events", **group)]


CLEAR = ("host", "port", "dbname", "username", "engine")  # of the database's secret: no secrets


@contextmanager
def images(engine: Engine) -> Iterator[None]:
    """Two versions of WordPress and one that ends as soon as it is started; the two later ones go afterwards."""
    remove_images(engine, lambda process: not psutil.pid_exists(process))
    config, own = load("staging"), engine.architecture
    for version in (OLD, NEW):
        built = building.build(engine, config, own, version)
    made = engine.client.containers.create(built.name, labels={LABEL: "proofs"})
    try:
        made.commit(building.IMAGE, BROKEN, changes=['CMD ["no-such-command"]'])
        yield
    finally:
        made.remove(force=True)
        remove_images(engine, lambda process: process == os.getpid())


def remove_images(engine: Engine, of: Callable[[int], bool]) -> None:
    """The later versions of some processes: this one's at its end, and of those that did not come to theirs."""
    for image in engine.client.images.list(building.IMAGE):
        for tag in image.tags:
            if (found := OURS.match(tag)) and of(int(found[1])):
                engine.client.images.remove(tag, force=True)

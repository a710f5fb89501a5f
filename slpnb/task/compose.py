"""docker/compose.yaml: the service on a laptop, derived from the parameters' task definition.

Pure. What the definition says, the Compose file says in its own words; where a laptop differs from ECS, it is
written here and in the file's comments: the image is built from docker/wordpress for the machine's own
architecture, secrets come from ``.env``, uploads are a named volume, MariaDB stands in for RDS, and the port is
published on the loopback only. Sources: Compose specification ("Services top-level elements", "Interpolation"),
Amazon ECS Developer Guide ("Amazon ECS task definition parameters for Amazon EC2"), docker/README.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from slpnb.engine import IMAGE

if TYPE_CHECKING:
    from slpnb.config import Config

COMPOSE, CODE, EXAMPLE = "compose.yaml", "compose.code.yaml", ".env.example"
FILES = (COMPOSE, CODE, EXAMPLE)
DATABASE_IMAGE = "docker.io/library/mariadb:10.11"  # as RDS has it
HOST = "slp.localhost"  # browsers resolve every name under localhost to the loopback, subdomains of sites too
EMAIL = f"admin@{HOST}"
PLACEHOLDER = "only-for-development"  # no secret, on purpose
DATABASE = {"HOST": "database", "NAME": "wordpress", "USER": "wordpress", "PASSWORD": PLACEHOLDER}
ADMIN_PASSWORD = "WORDPRESS_ADMIN_PASSWORD"  # noqa: S105 - of the user admin: read by the install only
CONTENT = "/var/www/html/wp-content"
CODE_FOLDERS = ("mu-plugins", "plugins")  # the image has nothing of its own there; themes it has
TIMES = {"interval": "interval", "timeout": "timeout", "start_period": "startPeriod"}

HEADER = """\
# The service on this machine, as its task definition has it. Made by a command; do not edit, change params/ instead:
#     slpnb compose {environment} > docker/compose.yaml
# To use it:
#     cd docker && cp .env.example .env && docker compose up
# then open http://{host}, and http://{host}/wp-admin/ as admin with .env's password.
# If port 80 is taken: WORDPRESS_PORT=8080 and WORDPRESS_HOST=slp.localhost:8080 in .env, before the first start.
# Code from a checkout instead of the image's:  docker compose -f compose.yaml -f compose.code.yaml up
# Due cron events, on every site:               docker compose run --rm wordpress cron
# Unlike on ECS: the image is this machine's architecture, the log is the engine's, there is no balancer and no TLS.
"""
CODE_HEADER = """\
# Overrides compose.yaml: plugins from a checkout, so that changes show at once. CODE in .env names the folder that
# has {folders}. Made by `slpnb compose {environment} --file compose.code.yaml`; do not edit.
"""
EXAMPLE_HEADER = """\
# cp .env.example .env; .env is never committed. Values for your own machine: on AWS they are made by 40_secrets
# and stay in Secrets Manager. Made by `slpnb compose {environment} --file .env.example`.
"""


def _definition(config: Config) -> dict[str, Any]:
    from slpnb.task.task_definition import definition  # it brings pandas along, which `slpnb --help` must not wait for

    return definition(config)


def text(config: Config, name: str = COMPOSE, database_image: str = DATABASE_IMAGE) -> str:
    """One of the `FILES` that stand in docker/, the same text for the same parameters. Pure."""
    folders = " and ".join(CODE_FOLDERS)
    if name == EXAMPLE:
        lines = [f"{key}={value}" for key, value in example(config).items()]
        return EXAMPLE_HEADER.format(environment=config.environment) + "\n".join(lines) + "\n"
    if name == CODE:
        return CODE_HEADER.format(environment=config.environment, folders=folders) + _yaml(overlay())
    header = HEADER.format(environment=config.environment, host=HOST)
    return header + _yaml(document(config, database_image))


def _yaml(value: Mapping[str, Any]) -> str:
    """Everything in place, without YAML references. Imported here: ``slpnb --help`` needs only the names above."""
    import yaml

    whole = type("Whole", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    return yaml.dump(dict(value), Dumper=whole, sort_keys=False, width=120)


def document(config: Config, database_image: str = DATABASE_IMAGE) -> dict[str, Any]:
    """The Compose file as data: wordpress, its install (once, then nothing to do), and the database. Pure.

    Raises `Refusal` as `task_definition.definition` does.
    """
    task = _definition(config)
    (container,) = task["containerDefinitions"]
    wordpress = _image(config) | _service(task, container)
    shared = ("image", "build", *_storage(container), "cap_drop")
    told = wordpress["environment"] | {ADMIN_PASSWORD: _given(ADMIN_PASSWORD), "WORDPRESS_ADMIN_EMAIL": EMAIL}
    install = {"environment": told, **{name: wordpress[name] for name in shared}}
    ready = {"database": {"condition": "service_healthy"}}
    done = ready | {"install": {"condition": "service_completed_successfully"}}
    return {
        "name": config.task.family,
        "services": {
            "wordpress": wordpress | {"depends_on": done},
            "install": install | {"command": ["install"], "restart": "no", "depends_on": ready},
            "database": _database(database_image),
        },
        "volumes": {config.task.volume_name: {}, "database": {}},
    }


def overlay() -> dict[str, Any]:
    """What overrides the Compose file for code from a checkout: its folders, and checking for changes. Pure."""
    binds = [
        {"type": "bind", "source": f"${{CODE:-./wordpress/content}}/{name}", "target": f"{CONTENT}/{name}"}
        for name in CODE_FOLDERS
    ]
    service = {"environment": {"CODE_CHANGES": "on"}, "volumes": [bind | {"read_only": True} for bind in binds]}
    return {"services": {"wordpress": service}}


def example(config: Config) -> dict[str, str]:
    """The variables that ``.env`` must give: every secret of the task definition, with placeholder values. Pure."""
    (container,) = _definition(config)["containerDefinitions"]
    known = {f"WORDPRESS_DB_{name}": value for name, value in DATABASE.items()}
    names = [ADMIN_PASSWORD, *(secret["name"] for secret in container["secrets"])]
    return {name: known.get(name, PLACEHOLDER) for name in names}


def _image(config: Config) -> dict[str, Any]:
    """The version in the parameters, built from the same files if it does not exist yet."""
    build = {"context": "wordpress", "args": {"VERSION": config.image.tag}}
    return {"image": f"{IMAGE}:{config.image.tag}", "build": build}


def _service(task: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, Any]:
    linux = container["linuxParameters"]
    return {
        "init": linux["initProcessEnabled"],
        "environment": _environment(container),
        "ports": [f"127.0.0.1:${{WORDPRESS_PORT:-80}}:{port}" for port in _ports(container)],
        **_storage(container),
        "cap_drop": linux["capabilities"]["drop"],
        "ulimits": {one["name"]: {"soft": one["softLimit"], "hard": one["hardLimit"]} for one in container["ulimits"]},
        # ECS: the task's CPU units are a ceiling, the container's are its share; 1024 are one CPU.
        "cpus": int(task["cpu"]) / 1024,
        "cpu_shares": container["cpu"],
        "mem_limit": f"{container['memory']}m",
        "mem_reservation": f"{container['memoryReservation']}m",
        "stop_grace_period": f"{container['stopTimeout']}s",
        "healthcheck": _health_check(container["healthCheck"]),
    }


def _storage(container: Mapping[str, Any]) -> dict[str, Any]:
    mounts = [
        f"{one['sourceVolume']}:{one['containerPath']}" + (":ro" if one["readOnly"] else "")
        for one in container["mountPoints"]
    ]
    root = {"read_only": True} if container["readonlyRootFilesystem"] else {}
    tmpfs = [
        f"{one['containerPath']}:{','.join(one['mountOptions'])},size={one['size']}m"
        for one in container["linuxParameters"].get("tmpfs", ())
    ]
    return root | ({"tmpfs": tmpfs} if tmpfs else {}) | {"volumes": mounts}


def _ports(container: Mapping[str, Any]) -> list[int]:
    return [one["containerPort"] for one in container.get("portMappings", ())]


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    """The definition's values, the host and scheme of a machine without a balancer, and the secrets by reference."""
    clear = {one["name"]: escaped(one["value"]) for one in container["environment"]}
    own = {"WORDPRESS_HOST": f"${{WORDPRESS_HOST:-{HOST}}}", "WORDPRESS_SCHEME": "http"}
    return clear | own | {one["name"]: _given(one["name"]) for one in container["secrets"]}


def _given(name: str) -> str:
    """A variable of ``.env``; without it nothing starts, with this message."""
    return f"${{{name}:?copy .env.example to .env}}"


def escaped(value: str) -> str:
    """A text in which Compose must not expand variables. Pure."""
    return value.replace("$", "$$")


def _health_check(check: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: f"{check[key]}s" for name, key in TIMES.items()}
    return {"test": [escaped(word) for word in check["command"]], **times, "retries": check["retries"]}


def _database(image: str) -> dict[str, Any]:
    """MariaDB for development. It looks up no names: without reverse DNS every connection would wait for one."""
    names = {"DATABASE": "NAME", "USER": "USER", "PASSWORD": "PASSWORD"}
    given = {f"MARIADB_{name}": _given(f"WORDPRESS_DB_{ours}") for name, ours in names.items()}
    return {
        "image": f"${{DATABASE_IMAGE:-{image}}}",
        "command": ["--skip-name-resolve", "--character-set-server=utf8mb4"],
        "environment": given | {"MARIADB_RANDOM_ROOT_PASSWORD": "yes"},
        "volumes": ["database:/var/lib/mysql"],
        "healthcheck": {
            "test": ["CMD", "healthcheck.sh", "--connect", "--innodb_initialized"],
            "interval": "2s",
            "timeout": "5s",
            "retries": 30,
        },
    }

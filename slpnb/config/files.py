"""params/*.yaml as one validated `Config`: base.yaml, the environment's file over it, and what a run adds.

Every mistake is one sentence: which file (or papermill, or --set), which key, what is allowed.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from slpnb.config import written
from slpnb.config.consistency import RULES
from slpnb.config.parameters import Parameters
from slpnb.errors import ParameterError
from slpnb.repository import ENVIRONMENTS, PARAMS

if TYPE_CHECKING:
    import pandas as pd

INJECTED = "parameters given to the run"
UNITS = {
    "mib": "MiB",
    "gib": "GiB",
    "seconds": "seconds",
    "minutes": "minutes",
    "days": "days",
    "percent": "percent",
    "units": "CPU units",
    "mibps": "MiB/s",
}


class Config(Parameters):
    """The parameters of one run, and where each came from."""

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def prefix(self) -> str:
        """The prefix of the environment's derived names."""
        return self.secrets.prefix

    def tags(self, step: str, name: str) -> dict[str, str]:
        """The tags of everything that a step creates."""
        return {"Name": name, "slpnb:environment": self.environment, "slpnb:step": step}

    def source(self, key: str) -> str:
        """The file, or the run, that set a dotted key; "default" if none did."""
        return _source(self._sources, tuple(key.split(".")), "default")

    def table(self, section: str) -> pd.DataFrame:
        """A section as a table: parameter (index), value, meaning, from."""
        import pandas as pd  # 1 s: loading and checking parameters must not wait for it

        rows = list(_rows(getattr(self, section), section))
        frame = pd.DataFrame(rows, columns=["parameter", "value", "meaning"])
        frame["from"] = [self.source(key) for key in frame["parameter"]]
        return frame.set_index("parameter")


def params_dir() -> Path:
    """Where the params files are: ``SLPNB_PARAMS``, or the repository's folder."""
    return Path(os.environ.get("SLPNB_PARAMS") or PARAMS)


def load(environment: str | None = None, given: Mapping[str, Any] | None = None, folder: Path | None = None) -> Config:
    """Merge base.yaml, <environment>.yaml and ``given``, the later ones winning, and check everything.

    ``given`` is what papermill injected or ``--set`` passed: nested mappings by section, and
    may name the environment. Raises `ParameterError`: one sentence with file and key.
    """
    # a notebook's own section is an empty dict until something is injected there: it sets nothing
    given = {key: value for key, value in (given or {}).items() if value != {} or key not in Parameters.model_fields}
    given = written.meant(given, Parameters)
    environment = environment or given.get("environment") or "staging"
    if environment not in ENVIRONMENTS:
        raise ParameterError(f"{INJECTED}: environment is {environment!r}, must be one of {', '.join(ENVIRONMENTS)}")
    folder = folder or params_dir()
    layers = [(f"params/{name}.yaml", _read(folder / f"{name}.yaml")) for name in ("base", environment)]
    merged, sources = _merge([*layers, (INJECTED, given), (INJECTED, {"environment": environment})])
    return _validate(merged, sources, f"params/{environment}.yaml")


def schema() -> str:
    """The JSON schema of a params file, for editors; every section may be partial there."""
    document = Parameters.model_json_schema()
    for definition in [document, *document["$defs"].values()]:
        definition.pop("required", None)
    document["title"] = "slpnb parameters"
    return json.dumps(document, indent=2) + "\n"


def lay_over(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings merged; anything else in ``upper`` replaces."""
    both = {
        key: lay_over(lower[key], value)
        if isinstance(value, Mapping) and isinstance(lower.get(key), Mapping)
        else value
        for key, value in upper.items()
    }
    return {**lower, **both}


def given(assignments: Iterable[str], **options: Any) -> dict[str, Any]:
    """What a command's options override: assignments (``task.memory_mib=3584``), then the other options. Pure.

    An option that is None or empty overrides nothing. Raises `ParameterError` for a malformed assignment.
    """
    laid: dict[str, Any] = {}
    for assignment in assignments:
        laid = lay_over(laid, _assignment(assignment))
    return laid | {name: value for name, value in options.items() if value not in (None, "")}


def _assignment(text: str) -> dict[str, Any]:
    """``task.memory_mib=3584`` as nested mappings; the value is YAML. Raises `ParameterError`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ParameterError(f"--set {text}: must be section.key=value, such as task.memory_mib=3584")
    try:
        nested: Any = written.read(value)
    except yaml.YAMLError as error:
        raise ParameterError(f"--set {text}: the value is not YAML") from error
    for part in reversed(key.strip().split(".")):
        nested = {part: nested}
    return dict(written.meant(nested, Parameters))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = written.meant(written.read(path.read_text(encoding="utf-8")), Parameters) or {}
    except FileNotFoundError as error:
        raise ParameterError(f"{path}: no such file; there must be base.yaml and one for each environment") from error
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise ParameterError(
            f"params/{path.name}: line {line} is not YAML: {getattr(error, 'problem', error)}"
        ) from error
    if not isinstance(content, dict):
        raise ParameterError(f"params/{path.name}: needs sections such as 'task:', not {type(content).__name__}")
    return content


def _merge(layers: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[dict[str, Any], dict[str, str]]:
    merged: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, layer in layers:
        merged = lay_over(merged, layer)
        sources.update(dict.fromkeys(_leaves(layer), source))
    return merged, sources


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            yield from _leaves(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _source(sources: Mapping[str, str], path: tuple[str, ...], otherwise: str) -> str:
    dotted = ".".join(path)
    exact = [
        source
        for key, source in sources.items()
        if key == dotted or key.startswith(dotted + ".") or dotted.startswith(key + ".")
    ]
    return exact[-1] if exact else otherwise


def _validate(merged: Mapping[str, Any], sources: dict[str, str], main_file: str) -> Config:
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        raise ParameterError(_sentence(error.errors()[0], sources, main_file)) from None
    for key, sentence in (found for rule in RULES for found in rule(config)):
        raise ParameterError(f"{_source(sources, tuple(key.split('.')), main_file)}: {key} {sentence}")
    config._sources = sources
    return config


def _sentence(error: ErrorDetails, sources: Mapping[str, str], main_file: str) -> str:
    path = tuple(str(part) for part in error["loc"] if not _is_branch(str(part)))
    where = f"{_source(sources, path, main_file)}: {'.'.join(path)}"
    if error["type"] == "extra_forbidden":
        return f"{where} is not a parameter{_nearest(path)}"
    if error["type"] == "missing":
        return f"{main_file}: {'.'.join(path)} is missing; {_allowed(path)}"
    return f"{where} is {error['input']!r}, {_problem(error, path)}"


def _is_branch(part: str) -> bool:
    """Whether a part of an error's location is the branch of a union, which pydantic adds."""
    return part in ("bool", "float", "int") or part.startswith(("literal[", "constrained-", "function-"))


def _problem(error: ErrorDetails, path: tuple[str, ...]) -> str:
    unit = UNITS.get(path[-1].rsplit("_", 1)[-1]) if path else None
    if error["type"] in ("int_type", "int_from_float", "int_parsing"):
        return f"must be a whole number{f' of {unit}' if unit else ''}, without a unit; {_allowed(path)}"
    message = error["msg"].removeprefix("Input ").replace("should be", "must be").replace("should match", "must match")
    allowed = _allowed(path)
    return f"{message}{f' {unit}' if unit and error['type'].startswith(('greater', 'less')) else ''}; {allowed}"


def _allowed(path: tuple[str, ...]) -> str:
    field = _field(path)
    return f"it means: {field.description}" if field is not None and field.description else "see params/schema.json"


def _field(path: tuple[str, ...]) -> Any:
    model: Any = Parameters
    field = None
    for part in path:
        if not _is_model(model) or part not in model.model_fields:
            return field
        field = model.model_fields[part]
        model = field.annotation
    return field


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _nearest(path: tuple[str, ...]) -> str:
    parent = _field(path[:-1])
    model = parent.annotation if parent is not None else Parameters
    names = list(model.model_fields) if _is_model(model) else []
    near = difflib.get_close_matches(path[-1], names, n=1, cutoff=0.4)
    return f"; {f'did you mean {near[0]}? ' if near else ''}allowed: {', '.join(names)}"


def _rows(section: BaseModel, prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _rows(value, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}", _text(value), field.description or ""


def _text(value: Any) -> str:
    if value is None or value == "":
        return "-"
    return json.dumps(value) if isinstance(value, (dict, list, bool)) else str(value)

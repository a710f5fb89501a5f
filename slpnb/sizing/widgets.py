"""Try other sizes in JupyterLab: sliders over the same functions that the sizing notebook calls.

Where no one can move a slider (papermill, nbval, an exported page) the same table is shown without
them, for the parameters as they are.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import pandas as pd

from slpnb.config import Config
from slpnb.ecs import resources
from slpnb.fleet import fit, fleet, monthly, recommendation, running
from slpnb.fleet.remedies import cheapest, known_zones
from slpnb.fleet.rollout import deployment, losing_a_zone
from slpnb.sizing import charts
from slpnb.sizing.tables import budget

MOST_TYPES = 40
INTERACTIVE = (
    "JPY_SESSION_NAME"  # set by Jupyter's server for the kernels of the notebooks that it opens, for no others
)
WIDGET = "application/vnd.jupyter.widget-view+json"


def numbers(config: Config) -> pd.DataFrame:
    """What the sizes in the parameters come to: one row per question (index), with its answer."""
    found, group = fit(config), fleet(config)
    each, own = group.per_instance(found.needs), running(config)
    update, lost = deployment(config), losing_a_zone(config)
    low, high = config.service.desired_tasks, config.service.max_tasks
    answers = {
        "tasks per instance": str(each),
        "limited by": found.limited_by,
        "MiB left on an empty instance": str(found.left_mib),
        f"instances for the desired count, {low}": _instances(group.holding(found.needs, low), group.max_instances),
        f"instances for the maximum, {high}": _instances(group.holding(found.needs, high), group.max_instances),
        "update": f"stops: {update.stuck}" if update.stuck else f"finishes on {update.instances}",
        "tasks that wait when a zone is lost": str(int(lost["wait"].max())),
        "tasks kept through an update and a lost zone": str(_covered(config)),
        "US dollars per month at the desired count": _dollars(group.type_name, own.instances),
        "US dollars per month at the maximum": _dollars(group.type_name, group.max_instances),
    }
    return pd.DataFrame({"answer": answers.values()}, index=pd.Index(answers, name="question"))


def _instances(needed: int, most: int) -> str:
    return str(needed) if needed <= most else f"more than the group's {most}"


def _covered(config: Config) -> int:
    group = fleet(config)
    asked = recommendation.constraints(config)
    return recommendation.covered(resources.needs(config), group.type_name, group.max_instances, asked)


def _dollars(type_name: str, instances: int) -> str:
    price = monthly(type_name, instances)
    return "no price known" if price is None else f"{price:,.2f}"


def changed(config: Config, **sizes: Any) -> Config:
    """The parameters with other sizes, by their keys in the sections cluster, task and service.

    The service's bounds move with its desired count, the group's minimum with its maximum.
    """
    sections = {name: getattr(config, name) for name in ("cluster", "task", "service")}
    for key, value in sizes.items():
        name = next(name for name, section in sections.items() if key in type(section).model_fields)
        sections[name] = sections[name].model_copy(update={key: value})
    service, cluster = sections["service"], sections["cluster"]
    low, high = min(service.min_tasks, service.desired_tasks), max(service.max_tasks, service.desired_tasks)
    sections["service"] = service.model_copy(update={"min_tasks": low, "max_tasks": high})
    least = min(cluster.min_instances, cluster.max_instances)
    sections["cluster"] = cluster.model_copy(update={"min_instances": least})
    return config.model_copy(update=sections)


class Trial:
    """The numbers of some sizes; in JupyterLab with sliders to change them."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def __repr__(self) -> str:
        return repr(numbers(self.config))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        table = numbers(self.config)
        bundle: dict[str, Any] = {"text/plain": repr(table), "text/html": table.to_html()}
        if os.environ.get(INTERACTIVE):
            bundle[WIDGET] = self.widget()._repr_mimebundle_()[WIDGET]
        return bundle

    def widget(self) -> Any:
        """Sliders with the table and the chart of their numbers below, as an ipywidgets.VBox."""
        widgets: Any = import_module("ipywidgets")
        sliders, shown = self._sliders(widgets), widgets.HTML()

        def show(_: Any = None) -> None:
            shown.value = self._page({key: slider.value for key, slider in sliders.items()})

        for slider in sliders.values():
            slider.observe(show, names="value")
        show()
        return widgets.VBox([*sliders.values(), shown])

    def _page(self, sizes: dict[str, Any]) -> str:
        """The table and the chart for other sizes."""
        tried = changed(self.config, **sizes)
        figure = charts.memory(budget(tried), tried.cluster.instance_type)
        svg = charts.show(figure).svg()
        return numbers(tried).to_html() + svg[svg.index("<svg") :]

    def _sliders(self, widgets: Any) -> dict[str, Any]:
        task, cluster, service = self.config.task, self.config.cluster, self.config.service
        memory, reserve = task.memory_mib, cluster.reserved_memory_mib
        ranges = {  # value, least, most, step, words
            "memory_mib": (memory, min(256, memory), max(16_384, 2 * memory), 128, "task, MiB"),
            "cpu_units": (task.cpu_units, 128, max(8192, 2 * task.cpu_units), 128, "task, CPU units"),
            "reserved_memory_mib": (reserve, 0, max(1024, reserve), 64, "reserve, MiB"),
            "desired_tasks": (service.desired_tasks, 0, 4 * service.max_tasks, 1, "desired tasks"),
            "max_instances": (cluster.max_instances, 1, 4 * cluster.max_instances, 1, "maximum instances"),
        }
        wide = {"style": {"description_width": "11em"}, "layout": {"width": "46em"}}
        type_name = cluster.instance_type
        types = widgets.Dropdown(options=self._types(), value=type_name, description="type", **wide)
        return {"instance_type": types} | {
            key: widgets.IntSlider(
                value=value, min=low, max=high, step=step, description=words, continuous_update=False, **wide
            )
            for key, (value, low, high, step, words) in ranges.items()
        }

    def _types(self) -> list[str]:
        """The parameters' own type and candidates first, then the cheapest that take the task, by name."""
        found = cheapest(resources.needs(self.config), zones=known_zones(self.config), rows=MOST_TYPES)
        own = [self.config.cluster.instance_type, *self.config.sizing.candidates]
        return list(dict.fromkeys([*own, *sorted(map(str, found.index))]))

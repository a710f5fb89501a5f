"""The alarms of 80_service: what someone should hear about before the customers call.

Source of the metrics: CloudWatch metrics for your Application Load Balancer, Amazon ECS Container
Insights metrics, Amazon ECS cluster auto scaling (CapacityProviderReservation), Amazon CloudWatch
metrics for Amazon EFS; the thresholds' reasons are in `ALARMS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from slpnb import cluster, efs
from slpnb.aws import Aws, tag_list
from slpnb.config import Config
from slpnb.errors import Refusal
from slpnb.plan import Call, Found, Kind, Resource, Wanted
from slpnb.plan.values import Ref

STEP = "80_service"
# CloudWatch names a resource whose id is an ARN by the end of that ARN.
DIMENSIONS: dict[str, Ref] = {
    "LoadBalancer": Ref("load-balancer", after=":loadbalancer/"),
    "TargetGroup": Ref("target-group", after=":"),
    "FileSystemId": Ref("file-system", step=efs.STEP),
}


@dataclass(frozen=True)
class Alarm:
    """One alarm: it goes off when ``statistic`` of ``metric`` is ``compare`` ``threshold`` for ``minutes``.

    ``metric`` is "<namespace> <name>", or "<namespace> <name> - <name>" for a difference.
    ``missing`` is CloudWatch's treatment of missing data.
    """

    name: str
    reason: str
    metric: str
    statistic: str
    threshold: float
    minutes: int
    dimensions: tuple[str, ...]
    compare: str = "GreaterThanThreshold"
    missing: str = "notBreaching"
    period_seconds: int = 60


BALANCER = ("LoadBalancer", "TargetGroup")
ALARMS = (
    Alarm(
        "unhealthy-targets",
        "a task that fails its health check is stopped and replaced; if that goes on, all of them may be",
        "AWS/ApplicationELB UnHealthyHostCount",
        "Maximum",
        0,
        5,
        BALANCER,
    ),
    Alarm(
        "target-errors",
        "WordPress itself answers 5xx: PHP or the database fails",
        "AWS/ApplicationELB HTTPCode_Target_5XX_Count",
        "Sum",
        10,
        5,
        BALANCER,
    ),
    Alarm(
        "no-target",
        "the load balancer itself answers 5xx: the first attempt showed 503, with no task behind it",
        "AWS/ApplicationELB HTTPCode_ELB_5XX_Count",
        "Sum",
        10,
        5,
        ("LoadBalancer",),
    ),
    Alarm(
        "slow-responses",
        "one request in twenty takes longer than 3 s",
        "AWS/ApplicationELB TargetResponseTime",
        "p95",
        3,
        10,
        BALANCER,
    ),
    Alarm(
        "tasks-missing",
        "fewer tasks run than are wanted: they do not fit, or keep stopping",
        "ECS/ContainerInsights DesiredTaskCount - RunningTaskCount",
        "Average",
        0,
        15,
        ("ClusterName", "ServiceName"),
        missing="missing",
    ),
    Alarm(
        "capacity-does-not-come",
        "above 100 % the group should have grown: it is at its maximum, or its instances never register",
        "AWS/ECS/ManagedScaling CapacityProviderReservation",
        "Average",
        100,
        30,
        ("CapacityProviderName", "ClusterName"),
        missing="missing",
    ),
    Alarm(
        "uploads-at-their-limit",
        "the file system's I/O is at its limit: pages wait for pictures",
        "AWS/EFS PercentIOLimit",
        "Maximum",
        95,
        15,
        ("FileSystemId",),
    ),
    Alarm(
        "uploads-burst-credits",
        "below this the file system falls back to 50 KiB/s per GiB stored",
        "AWS/EFS BurstCreditBalance",
        "Minimum",
        192 * 1024**3,  # of 2.1 TiB at first
        15,
        ("FileSystemId",),
        compare="LessThanThreshold",
    ),
)


def desired(config: Config) -> Wanted:
    """The alarms of an environment that has them, as far as their metrics exist there. Pure."""
    if not config.service.alarms:
        return ()
    return tuple(_resource(config, alarm) for alarm in ALARMS if _measured(config, alarm))


def _measured(config: Config, alarm: Alarm) -> bool:
    """Whether AWS publishes the metric with these parameters."""
    if alarm.metric.startswith("ECS/ContainerInsights"):
        return config.cluster.container_insights != "disabled"
    if alarm.name == "uploads-at-their-limit":
        return config.efs.performance_mode == "generalPurpose"
    return alarm.name != "uploads-burst-credits" or config.efs.throughput_mode == "bursting"


def _resource(config: Config, alarm: Alarm) -> Resource:
    plain = {
        "ClusterName": config.cluster.name,
        "ServiceName": config.service.name,
        "CapacityProviderName": cluster.provider_name(config),
    }
    name = f"{config.prefix}-{alarm.name}"
    attributes = {
        "metric": alarm.metric,
        "dimensions": {one: plain.get(one) or replace(DIMENSIONS[one], after="") for one in sorted(alarm.dimensions)},
        "statistic": alarm.statistic,
        "compare": alarm.compare,
        "threshold": float(alarm.threshold),
        "period_seconds": alarm.period_seconds,
        "periods": alarm.minutes * 60 // alarm.period_seconds,
        "missing": alarm.missing,
        "notifies": [Ref("alarm-topic")] if config.service.alarm_topic else [],
    }
    return Resource(f"alarm/{alarm.name}", "alarm", name, attributes, alarm.reason, config.tags(STEP, name))


# --- what AWS holds -----------------------------------------------------------------------------------------


def observe(aws: Aws, have: Mapping[str, Found]) -> dict[str, Found]:
    """The alarms whose names begin with the environment's prefix; ``have`` says which resources they watch."""
    prefix = f"{aws.config.prefix}-"
    whole = {_end(name, found.id): found.id for name, found in _watched(have)}
    alarms = aws.pages(
        "cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"]
    )
    found = [_found(aws, alarm, alarm["AlarmName"].removeprefix(prefix), whole) for alarm in alarms]
    return {alarm.key: alarm for alarm in found}


def _watched(have: Mapping[str, Found]) -> Iterator[tuple[str, Found]]:
    for name, ref in DIMENSIONS.items():
        if ref.key in have:
            yield name, have[ref.key]


def _end(name: str, identifier: str) -> str:
    return str(DIMENSIONS[name].of(identifier))


def _found(aws: Aws, alarm: Mapping[str, Any], name: str, whole: Mapping[str, str]) -> Found:
    answer = aws.read("cloudwatch", "list_tags_for_resource", ResourceARN=alarm["AlarmArn"])
    stats = [query["MetricStat"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
    first = {**stats[0]["Metric"], "Period": stats[0]["Period"], "Statistic": stats[0]["Stat"]} if stats else alarm
    dimensions = {one["Name"]: whole.get(one["Value"], one["Value"]) for one in first.get("Dimensions", [])}
    attributes = {
        "metric": " ".join([first["Namespace"], " - ".join([first["MetricName"], *_others(stats)])]),
        "dimensions": dict(sorted(dimensions.items())),
        "statistic": first.get("ExtendedStatistic") or first.get("Statistic"),
        "compare": alarm["ComparisonOperator"],
        "threshold": float(alarm["Threshold"]),
        "period_seconds": first["Period"],
        "periods": alarm["EvaluationPeriods"],
        "missing": alarm.get("TreatMissingData", "missing"),
        "notifies": sorted(alarm.get("AlarmActions", [])),
    }
    step = aws.step_of(answer.get("Tags"))
    return Found(f"alarm/{name}", "alarm", alarm["AlarmName"], alarm["AlarmName"], attributes, step)


def _others(stats: list[dict[str, Any]]) -> list[str]:
    return [stat["Metric"]["MetricName"] for stat in stats[1:]]


def find_topic(aws: Aws) -> dict[str, Found]:
    """The existing SNS topic of service.alarm_topic, if one is named. Raises `Refusal` when it is absent."""
    name = aws.config.service.alarm_topic
    if not name:
        return {}
    topics = [topic["TopicArn"] for topic in aws.pages("sns", "list_topics", "Topics")]
    named = [arn for arn in topics if arn.rpartition(":")[2] == name]
    if not named:
        raise Refusal(f"no SNS topic is named {name} (service.alarm_topic) in {aws.region}")
    return {"alarm-topic": Found("alarm-topic", "SNS topic", name, named[0], {})}


# --- how it is written --------------------------------------------------------------------------------------


def _put(resource: Resource, tags: Mapping[str, Any]) -> list[Call]:
    attributes = resource.attributes
    params = {
        "AlarmName": resource.name,
        "AlarmDescription": resource.reason,
        **_measure(attributes),
        "ComparisonOperator": attributes["compare"],
        "Threshold": attributes["threshold"],
        "EvaluationPeriods": attributes["periods"],
        "TreatMissingData": attributes["missing"],
        "AlarmActions": attributes["notifies"],
        "OKActions": attributes["notifies"],
        **tags,
    }
    return [Call("cloudwatch", "put_metric_alarm", params)]


def _measure(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """One metric, or the difference of two."""
    namespace, _, names = attributes["metric"].partition(" ")
    metrics = [
        {"Namespace": namespace, "MetricName": name, "Dimensions": _dimensions(attributes)}
        for name in names.split(" - ")
    ]
    period, statistic = attributes["period_seconds"], attributes["statistic"]
    if len(metrics) == 1:
        key = "ExtendedStatistic" if statistic.startswith("p") else "Statistic"
        return {**metrics[0], "Period": period, key: statistic}
    stats = [
        {"Id": f"m{number}", "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}, "ReturnData": False}
        for number, metric in enumerate(metrics)
    ]
    return {"Metrics": [{"Id": "missing", "Expression": "m0 - m1", "ReturnData": True}, *stats]}


def _dimensions(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Always by reference, even to what exists: so that a plan shows no ids."""
    return [
        {"Name": name, "Value": DIMENSIONS.get(name, value)} for name, value in sorted(attributes["dimensions"].items())
    ]


def _delete(found: Found) -> list[Call]:
    return [Call("cloudwatch", "delete_alarms", {"AlarmNames": [found.name]}, gone=("ResourceNotFound",))]


KINDS: dict[str, Kind] = {
    "alarm": Kind(
        "alarm",
        lambda resource: _put(resource, {"Tags": tag_list(resource.tags)}),
        _delete,
        lambda resource, _found, _changed: _put(resource, {}),  # tags of an existing alarm are not taken
    ),
}

"""Tables of the READMEs hold what the code holds: nothing is missing, nothing is extra, no number differs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le
from prometheus_client.metrics import MetricWrapperBase

from gateway import errors
from gateway.metrics import GatewayInfo, Metrics, ops_refusals
from gateway.serving.workers import Workers
from gateway.settings import GatewaySettings
from gateway.webhooks.kinds import KINDS
from schemas.runtime.rules import SIGNATURE_SCHEMES
from schemas.runtime.settings import DEFAULT_KEYS, GROUPS
from schemas.signatures.schemes import SAFE_SCHEMES, SCHEMES
from schemas.topics import TOPICS
from tests.support.readmes import READMES, ROOT, Row, name_of, tables, word, words

GATEWAY = ROOT / "gateway" / "README.md"
SETTING_COLUMNS = ["name", "unit", "default", "bounds", "meaning"]
NOT_ANSWERED = errors.SpoolInUseError  # the gateway does not start with it
FIELDS = {name: field for group in GROUPS for name, field in group.variables()}
DEFAULTS = {name: value for group in GROUPS for name, value in group().shown().items()}
DEFAULTS["AIRUDDER_SIGNING_KEYS"] = DEFAULT_KEYS


# -- settings


def setting_rows() -> list[tuple[str, Row]]:
    """Every row of every table of settings, with its README."""
    return [
        (name_of(page), row)
        for page in READMES
        for rows in tables(page).values()
        for row in rows
        if list(row) == SETTING_COLUMNS
    ]


def bounds_of(name: str) -> str:
    """What a setting's rules allow, as a README writes it first; empty where the rule is no number and no choice."""
    field = FIELDS[name]
    if choices := _choices(name, field.annotation):
        return ", ".join(choices)
    limits: dict[type[Any], Any] = {type(rule): rule for rule in field.metadata}
    low, high = limits.get(Ge), limits.get(Le)
    if low and high:
        return f"{low.ge:g}..{high.le:.16g}"
    if high and Gt in limits:
        return f"> {limits[Gt].gt:g}, <= {high.le:g}"
    return f">= {low.ge}" if low else ""


def _choices(name: str, annotation: Any) -> tuple[str, ...]:
    if name == "AIRUDDER_SIGNATURE_SCHEME":
        return SIGNATURE_SCHEMES
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def test_every_setting_is_in_one_table_and_no_other_is() -> None:
    assert sorted(word(row["name"]) for _, row in setting_rows()) == sorted(FIELDS)


@pytest.mark.parametrize(("page", "row"), setting_rows(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_settings_default_and_bounds_are_the_codes(page: str, row: Row) -> None:
    name = word(row["name"])

    assert row["default"] == f"`{DEFAULTS[name]}`"
    assert row["bounds"].replace("`", "").startswith(bounds_of(name))


# -- the gateway


def own_metrics(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Name, type and labels of all that the gateway's ops port may show, with one process or several."""
    settings, metrics = GatewaySettings(workers=2), Metrics(["k"])
    GatewayInfo(metrics.registry, settings)
    ops_refusals(metrics.registry)
    workers = Workers(settings, None, folder)  # type: ignore[arg-type]  # not started, so no socket is used
    for metric in {*metrics.registry._collector_to_names, *workers.registry._collector_to_names}:
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            yield family.name + "_total" * (family.type == "counter"), family.type, ", ".join(metric._labelnames)


async def test_the_gateways_metrics_are_those_of_its_table(tmp_path: Path) -> None:
    rows = tables(GATEWAY)["Metrics"]

    told = [(word(row["metric"]), row["type"], ", ".join(words(row["labels"]))) for row in rows]
    assert sorted(told) == sorted(set(own_metrics(tmp_path)))


def test_every_metric_of_an_alert_is_in_the_table() -> None:
    known = {word(row["metric"]) for row in tables(GATEWAY)["Metrics"]}
    named = {name for row in tables(GATEWAY)["Alert on"] for name in re.findall(r"(?:webhook|gateway)_\w+", str(row))}

    assert named - known == set()


def answers() -> set[tuple[str, str, bool]]:
    """Status, code and whether Retry-After is sent, of every refusal."""
    routers = {("404", "not_found", False), ("405", "method_not_allowed", False)}
    ours = {kind for kind in errors.request_errors() if kind is not NOT_ANSWERED}
    return {(str(kind.status), kind.code, kind.retry_after_s is not None) for kind in ours} | routers


def test_the_gateways_answers_are_those_of_its_table() -> None:
    rows = [row for row in tables(GATEWAY)["Answers"] if "code" in row and row["status"] != "200"]

    assert {(row["status"], word(row["code"]), "Retry-After" in row["retry"]) for row in rows} == answers()


def test_the_webhooks_are_those_of_the_table() -> None:
    rows = [row for row in tables(GATEWAY)["Answers"] if "webhook" in row]

    assert [(word(row["webhook"]), word(row["topic"])) for row in rows] == [(k.path, k.topic.name) for k in KINDS]


def test_the_signature_schemes_are_those_of_the_table() -> None:
    rows = tables(GATEWAY)["Which signature?"]

    told = {name: row["under `auto`"].startswith("yes") for row in rows for name in words(row["scheme"])}
    assert told == {name: scheme in SAFE_SCHEMES for name, scheme in SCHEMES.items()}


# -- the root


def test_the_topics_for_subscribers_are_those_of_the_table() -> None:
    rows = tables(ROOT / "README.md")["Topics"]

    told = {(word(row["topic"]), row["key"].replace("`", ""), word(row["record"]), row["cleanup"]) for row in rows}
    assert told == {(topic.name, topic.key, topic.record, topic.cleanup) for topic in TOPICS if topic.is_output}

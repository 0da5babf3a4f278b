"""The page of the topics: everything a subscriber asks, without Kafka, scripts or anything from elsewhere."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest
import yaml
from starlette.testclient import TestClient

from schemas.documents.asyncapi import document
from schemas.documents.fields import fields_of
from schemas.documents.headers import HEADERS
from schemas.documents.promises import PROMISES
from schemas.topics import OUTPUTS, Topic
from streams.monitor.app import create_app
from streams.monitor.settings import MonitorSettings
from streams.monitor.templating import with_code
from streams.settings import KafkaSettings
from streams.tools.examples.catalogue import LANGUAGES

CLIENT = TestClient(create_app(MonitorSettings()))  # without lifespan: nothing reads Kafka
ANSWER = CLIENT.get("/docs")
every_topic = pytest.mark.parametrize("topic", OUTPUTS, ids=lambda topic: topic.short_name)


@dataclass
class Page(HTMLParser):
    """What the tests ask of the page: tags with their attributes, and the text within each element that has an id."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    open: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(ANSWER.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link"):
            self.open.append((tag, dict(attrs).get("id") or ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag, f"</{tag}> ends another element"

    def handle_data(self, data: str) -> None:
        for _, name in self.open:
            if name:
                self.texts[name] = self.texts.get(name, "") + data

    def values(self, attribute: str) -> list[str]:
        return [
            value for _, attributes in self.tags for name, value in attributes.items() if name == attribute and value
        ]


PAGE = Page()


def test_it_is_whole_and_every_link_on_it_leads_somewhere() -> None:
    ids = PAGE.values("id")
    links = PAGE.values("href")

    assert (ANSWER.status_code, PAGE.open) == (200, [])
    assert len(ids) == len(set(ids))
    assert {link for link in links if link.startswith("#")} <= {f"#{name}" for name in ids}
    for link in {link for link in links if not link.startswith(("#", "data:"))} - {"/"}:  # the overview reads Kafka
        assert CLIENT.get(link).status_code == 200, link


def test_it_brings_no_script_no_style_of_its_own_and_nothing_from_elsewhere() -> None:
    assert not {tag for tag, _ in PAGE.tags} & {"script", "style", "iframe", "img"}
    assert not PAGE.values("style")
    assert all(link.startswith(("/", "#", "data:,")) for link in PAGE.values("href"))
    assert ANSWER.headers["content-security-policy"] == "default-src 'none'; style-src 'self'; img-src data:"


@every_topic
def test_a_topic_has_its_facts_and_what_to_type_next(topic: Topic) -> None:
    text = PAGE.texts[topic.short_name]

    for told in (topic.name, topic.key, topic.subject, topic.writer, f"{topic.retention.days} days", "zstd", "12, or"):
        assert told in text
    assert f"python -m streams tail {topic.short_name}\n" in text
    assert f"python -m streams example python {topic.short_name} > consumer.py" in text


@every_topic
def test_a_topic_has_every_field_with_type_default_meaning_and_personal_data(topic: Topic) -> None:
    for one in fields_of(document()["components"]["schemas"][topic.record]["schema"]):
        words = PAGE.texts[f"{topic.short_name}.{one.path}"]
        for told in (one.path, one.type, one.default or "none", one.doc.replace("`", ""), one.personal):
            assert told in words


@every_topic
def test_a_topic_has_its_example(topic: Topic) -> None:
    [example] = document()["components"]["messages"][topic.short_name]["examples"]

    for part in (example["headers"], example["payload"]):
        assert json.dumps(part, indent=2, ensure_ascii=False) in PAGE.texts[topic.short_name]


def test_what_to_type_next_is_accepted_for_every_topic() -> None:
    assert {topic.short_name for topic in LANGUAGES["python"].readable} == {topic.short_name for topic in OUTPUTS}


def test_every_promise_and_every_header_is_there() -> None:
    for promise in PROMISES:
        assert promise.text.replace("`", "") in PAGE.texts[f"promise-{promise.about.replace(' ', '-')}"]
    for header in HEADERS:
        assert header.value.replace("`", "") in PAGE.texts[f"header-{header.name}"]


def test_under_a_prefix_the_topics_have_their_real_names() -> None:
    settings = MonitorSettings(kafka=KafkaSettings(topic_prefix="staging."))
    page = TestClient(create_app(settings)).get("/docs").text

    for topic in OUTPUTS:
        assert f">staging.{topic.name}</a>" in page
        assert f">staging.{topic.subject}</dd>" in page
        assert f">{topic.name}<" not in page


def test_the_document_is_served_as_it_is_shipped() -> None:
    answer = CLIENT.get("/docs/asyncapi.yaml")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/yaml")
    assert yaml.safe_load(answer.text) == document()


@pytest.mark.parametrize("path", ["/docs", "/docs/asyncapi.yaml"])
def test_an_unknown_parameter_is_refused_as_elsewhere(path: str) -> None:
    assert CLIENT.get(f"{path}?x=1").status_code == 400


def test_what_stands_in_backticks_is_code_and_everything_is_escaped() -> None:
    assert with_code("a `<b>` & c") == "a <code>&lt;b&gt;</code> &amp; c"

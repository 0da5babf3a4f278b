"""PromQL expressions as tests read them: which metrics and labels they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import promql_parser


class Selector(NamedTuple):
    """One metric that an expression asks for, and the labels that it matches on."""

    name: str
    labels: frozenset[str]


def selectors(expression: str) -> set[Selector]:
    """Every selector of an expression. Raises: an error of the parser for what is no PromQL."""
    return set(_found(promql_parser.parse(expression)))


def grouped_by(expression: str) -> set[str]:
    """Every label that an aggregation of the expression keeps."""
    return set(_kept(promql_parser.parse(expression)))


def _found(node: Any) -> Iterator[Selector]:
    if type(node).__name__ == "VectorSelector":
        yield Selector(node.name, frozenset(matcher.name for matcher in node.matchers.matchers))
    for child in _children(node):
        yield from _found(child)


def _kept(node: Any) -> Iterator[str]:
    modifier = getattr(node, "modifier", None)
    if type(node).__name__ == "AggregateExpr" and modifier is not None and "By" in str(modifier.type):
        yield from modifier.labels
    for child in _children(node):
        yield from _kept(child)


def _children(node: Any) -> Iterator[Any]:
    for name in ("lhs", "rhs", "expr", "vector_selector", "param"):
        if (child := getattr(node, name, None)) is not None:
            yield child
    args = getattr(node, "args", None)
    yield from args or ()

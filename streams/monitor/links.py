"""Where the views are: the path of each that has a name in it. Names may hold anything. Pure."""

from urllib.parse import quote


def in_path(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")


def line_path(line: str) -> str:
    """The view of one SIP line."""
    return f"/lines/{in_path(line)}"


def workflow_path(workflow: str) -> str:
    """The view of one workflow."""
    return f"/workflows/{in_path(workflow)}"


def partition_path(group: str, topic: str, partition: int) -> str:
    """The view of one partition that a group reads."""
    return f"/lag/{in_path(group)}/{in_path(topic)}/{partition}"

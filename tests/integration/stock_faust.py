"""Stock Faust at a job of the worker's kind: copy each record of `in` to `out`. For tests of what it loses.

    python -m tests.integration.stock_faust BOOTSTRAP DATADIR

A record with `raise` makes the agent raise. At least once, as by default; only the pace of commits is quicker.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import faust

GROUP, SOURCE, TARGET = "stock", "in", "out"


def build(bootstrap: str, data_dir: str) -> Any:
    app: Any = faust.App(
        GROUP,
        broker=f"kafka://{bootstrap}",
        datadir=data_dir,
        autodiscover=False,
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        broker_commit_interval=0.5,
        consumer_auto_offset_reset="earliest",
    )
    target = app.topic(TARGET, value_serializer="json", partitions=1)

    async def copy(stream: Any) -> None:
        async for record in stream:
            if "raise" in record:
                raise ZeroDivisionError
            await target.send(value=record)

    app.agent(app.topic(SOURCE, value_serializer="json", partitions=1), name="copy")(copy)
    return app


async def run(bootstrap: str, data_dir: str) -> None:
    await build(bootstrap, data_dir).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))

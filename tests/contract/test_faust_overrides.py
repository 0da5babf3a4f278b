"""A fence around what we override in Faust and aiokafka, and around what of theirs we lean on.

Each such method has the hash of its upstream source here. What is overridden, and which names of theirs our subclasses
and any other module of the worker use, is found in our code, so that a new override without a hash fails too. When a
hash differs, a library has changed: read the method in its file, look at the override, and only then take the new hash.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator, MessageBatch
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy
from faust.app.base import App
from faust.assignor.partition_assignor import PartitionAssignor
from faust.events import Event
from faust.stores.rocksdb import RocksDBOptions, Store
from faust.streams import Stream
from faust.tables.base import Collection
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.tables.table import Table
from faust.topics import Topic
from faust.transport.conductor import Conductor, ConductorCompiler
from faust.transport.consumer import Consumer, Fetcher
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import ConsumerMessage, Message
from mode import Service

import streams.worker

UPSTREAM = ("faust", "mode", "aiokafka")
SUBCLASSING = ("transport", "fetching", "tables", "faust_app")
"""The modules whose classes may derive from Faust's."""

LOOKED_UP_IN: tuple[type[Any], ...] = (App, driver.Consumer, driver.Producer, Service, Collection, Store)
"""Where a private name lives that our code asks of an object, not of itself."""

OTHERS_PRIVATES = {
    "_value": "a counter of prometheus_client",
    "_exit": "of the module os",
    "_fetch_max_wait_ms": "of AIOKafkaConsumer, which its start reads",
    "_fetch_min_bytes": "of AIOKafkaConsumer, which its start reads",
    "_isolation_level": "of AIOKafkaConsumer, which its start reads",
    "_subscription": "of AIOKafkaConsumer, which keeps the positions",
}

LEANED_ON: dict[type[Any], tuple[str, ...]] = {
    # how a run comes from the broker to an agent, and what happens to it on the way
    driver.AIOKafkaConsumerThread: (
        "_fetch_records", "getmany", "seek_wait", "earliest_offsets", "_create_worker_consumer",
    ),
    driver.Consumer: ("_to_message", "_new_consumer_thread"),
    Consumer: (
        "_wait_next_records", "perform_seek", "commit", "force_commit", "_commit_tps", "on_stop", "_commit_handler",
    ),
    Fetcher: ("_fetcher",),
    Conductor: ("_compile_message_handler", "on_partitions_assigned"),
    ConductorCompiler: ("build",),
    Topic: ("decode", "put"),
    Stream: ("noack", "events", "_py_aiter"),
    Event: ("ack", "__aexit__"),
    Message: ("ack", "decref"),
    ConsumerMessage: ("on_final_ack",),
    # rebalances, and what is dropped and started again in them
    App: ("_on_partitions_revoked", "_on_partitions_assigned", "on_rebalance_start", "on_rebalance_end"),
    TableManager: ("on_partitions_revoked", "on_rebalance", "on_actives_ready"),
    PartitionAssignor: ("_perform_assignment", "assigned_actives"),
    # recovery: where it starts, when it is over, and that it hands runs to the store
    Recovery: (
        "on_rebalance", "_restart_recovery", "_build_highwaters", "_build_offsets", "_seek_offsets",
        "_slurp_changelogs", "need_recovery", "on_recovery_completed", "flush_buffers",
    ),
    Collection: ("apply_changelog_batch", "persisted_offset", "changelog_topic"),
    Table: ("on_changelog_event",),
    Store: (
        "_open_for_partition", "set_persisted_offset", "persisted_offset", "assign_partitions", "revoke_partitions",
    ),
    RocksDBOptions: ("as_options", "open"),
    # what aiokafka promises of batches, offsets and fetched records
    AIOKafkaProducer: ("send_batch", "create_batch"),
    MessageAccumulator: ("add_batch", "_append_batch", "reenqueue"),
    MessageBatch: ("done", "done_noack", "failure"),
    BatchBuilder: ("append", "close", "_build"),
    AIOKafkaConsumer: ("start", "commit", "getmany", "position", "highwater"),
    PartitionRecords: ("__init__", "__next__", "_unpack_records"),
    _MemoryRecordsPy: ("__init__", "next_batch"),
    _DefaultRecordBatchPy: ("__iter__", "_maybe_uncompress", "_read_msg"),  # see schemas/header_names.py
    FetchResult: ("getall", "_update_position"),
    AIOKafkaAdminClient: ("list_consumer_group_offsets",),
}  # fmt: skip
"""Methods that nobody of us names in code, but whose behaviour our reasoning stands on."""

PINNED: dict[str, str] = {
    "aiokafka.admin.client.AIOKafkaAdminClient.list_consumer_group_offsets": "63aad3c2197d4867",
    "aiokafka.consumer.consumer.AIOKafkaConsumer.commit": "79b057d88220e5a2",
    "aiokafka.consumer.consumer.AIOKafkaConsumer.getmany": "bc6d248e42a4e9d9",
    "aiokafka.consumer.consumer.AIOKafkaConsumer.highwater": "044275efc968e286",
    "aiokafka.consumer.consumer.AIOKafkaConsumer.position": "2512259a90a2ebd7",
    "aiokafka.consumer.consumer.AIOKafkaConsumer.start": "2f1ba70443327538",
    "aiokafka.consumer.fetcher.FetchResult._update_position": "83fb1473bf10027b",
    "aiokafka.consumer.fetcher.FetchResult.getall": "3e717e30de5068d5",
    "aiokafka.consumer.fetcher.PartitionRecords.__init__": "8ec1c2ae6ea1af87",
    "aiokafka.consumer.fetcher.PartitionRecords.__next__": "63ac34a08c309098",
    "aiokafka.consumer.fetcher.PartitionRecords._unpack_records": "b803e6d46480732c",
    "aiokafka.producer.message_accumulator.BatchBuilder._build": "2ea37ea8632073e3",
    "aiokafka.producer.message_accumulator.BatchBuilder.append": "657d76f55157d9ca",
    "aiokafka.producer.message_accumulator.BatchBuilder.close": "084fb8748d27f9b6",
    "aiokafka.producer.message_accumulator.MessageAccumulator._append_batch": "4762abfc42cbaa15",
    "aiokafka.producer.message_accumulator.MessageAccumulator.add_batch": "5ed1c5b1367ad854",
    "aiokafka.producer.message_accumulator.MessageAccumulator.reenqueue": "f75f518a1ae27ade",
    "aiokafka.producer.message_accumulator.MessageBatch.done": "2d765e5c2dc8638d",
    "aiokafka.producer.message_accumulator.MessageBatch.done_noack": "6de8c76407d4437f",
    "aiokafka.producer.message_accumulator.MessageBatch.failure": "719b2122c318e955",
    "aiokafka.producer.producer.AIOKafkaProducer.create_batch": "c4efda4bb7a09741",
    "aiokafka.producer.producer.AIOKafkaProducer.send_batch": "bf42b0f0c5c0646d",
    "aiokafka.record.default_records._DefaultRecordBatchPy.__iter__": "492967e59f459124",
    "aiokafka.record.default_records._DefaultRecordBatchPy._maybe_uncompress": "c9d0dc2bed50cc86",
    "aiokafka.record.default_records._DefaultRecordBatchPy._read_msg": "0997ab7a58505c93",
    "aiokafka.record.memory_records._MemoryRecordsPy.__init__": "07741cd62b9e032b",
    "aiokafka.record.memory_records._MemoryRecordsPy.next_batch": "f1779ecb6d0d344c",
    "faust.app.base.App._on_partitions_assigned": "de932b7927db85b3",
    "faust.app.base.App._on_partitions_revoked": "d5c895bbe57dc73a",
    "faust.app.base.App.on_rebalance_end": "b7ff69e1e3772f30",
    "faust.app.base.App.on_rebalance_start": "5c1e23de30674082",
    "faust.assignor.partition_assignor.PartitionAssignor._perform_assignment": "1e0bf2c5c8f42574",
    "faust.assignor.partition_assignor.PartitionAssignor.assigned_actives": "cd131e5935099dda",
    "faust.channels.Channel.decode": "c5cf3eebd64fcf3b",
    "faust.events.Event.__aexit__": "bc10ebebd38fad3e",
    "faust.events.Event.ack": "2d29a6eda87c4ce5",
    "faust.serializers.schemas.Schema.compile": "d46eec5ce3195b2c",
    "faust.stores.rocksdb.RocksDBOptions.as_options": "d2a1bea17736d2eb",
    "faust.stores.rocksdb.RocksDBOptions.open": "ff87e92d69e2f487",
    "faust.stores.rocksdb.Store.__init__": "c7c0fa2989e8ab4a",
    "faust.stores.rocksdb.Store._db_for_partition": "cb7e67d5f9efc4bc",
    "faust.stores.rocksdb.Store._open_for_partition": "1dc4e0113d67379d",
    "faust.stores.rocksdb.Store._visible_items": "545dc16a2b25e4a4",
    "faust.stores.rocksdb.Store.apply_changelog_batch": "ea3344d369fc4ab5",
    "faust.stores.rocksdb.Store.assign_partitions": "34dc27ace6dd9160",
    "faust.stores.rocksdb.Store.persisted_offset": "6f2e502fb86043a1",
    "faust.stores.rocksdb.Store.revoke_partitions": "3f85447a24fc34ff",
    "faust.stores.rocksdb.Store.set_persisted_offset": "b4c811926678346e",
    "faust.streams.Stream._py_aiter": "3a48ee257a65435b",
    "faust.streams.Stream.events": "c62f4dd3a73fe7aa",
    "faust.streams.Stream.noack": "921a6f5c674d32d4",
    "faust.tables.base.Collection.__init__": "95568fc09c76d006",
    "faust.tables.base.Collection._new_store": "914a2bda605d38f5",
    "faust.tables.base.Collection.apply_changelog_batch": "b980a78d3ae9b1e8",
    "faust.tables.base.Collection.changelog_topic": "3998f703f9143bc2",
    "faust.tables.base.Collection.data": "ade4a02ddd5582cb",
    "faust.tables.base.Collection.on_changelog_event": "5a4fa48fd7c3fd10",
    "faust.tables.base.Collection.persisted_offset": "d473d3ab3fd6f036",
    "faust.tables.manager.TableManager.on_actives_ready": "274c07e80913af0c",
    "faust.tables.manager.TableManager.on_partitions_revoked": "382852adff42ab99",
    "faust.tables.manager.TableManager.on_rebalance": "2d2c23a07bf54328",
    "faust.tables.recovery.Recovery._build_highwaters": "91b4cc0d3724ae7b",
    "faust.tables.recovery.Recovery._build_offsets": "27eec86be06cb51f",
    "faust.tables.recovery.Recovery._restart_recovery": "6bd8a8558a2dffe4",
    "faust.tables.recovery.Recovery._seek_offsets": "19598ca63d94d250",
    "faust.tables.recovery.Recovery._slurp_changelogs": "7825c7e50f766d5a",
    "faust.tables.recovery.Recovery.flush_buffers": "6fa9c17f1071018c",
    "faust.tables.recovery.Recovery.need_recovery": "fd1dc345b5d5e121",
    "faust.tables.recovery.Recovery.on_rebalance": "aa4d997a1795ceae",
    "faust.tables.recovery.Recovery.on_recovery_completed": "6ef567acf072e46d",
    "faust.topics.Topic.put": "f680fd1d81e1d5ee",
    "faust.transport.conductor.Conductor._compile_message_handler": "9fbc0538097aa4ec",
    "faust.transport.conductor.Conductor.on_partitions_assigned": "616e9729131cf0bb",
    "faust.transport.conductor.ConductorCompiler.build": "837cf521368c1ee4",
    "faust.transport.consumer.Consumer.__init__": "302410d59e6972d1",
    "faust.transport.consumer.Consumer._commit_handler": "4e5da5df073082d6",
    "faust.transport.consumer.Consumer._commit_livelock_detector": "af196ff46fd42a14",
    "faust.transport.consumer.Consumer._commit_offsets": "1a69799041188441",
    "faust.transport.consumer.Consumer._commit_tps": "a20e230b05ae8b15",
    "faust.transport.consumer.Consumer._drain_messages": "44a2500309e83c63",
    "faust.transport.consumer.Consumer._filter_tps_with_pending_acks": "f6f9239774234e7e",
    "faust.transport.consumer.Consumer._is_changelog_tp": "88867d75cfe9aecf",
    "faust.transport.consumer.Consumer._new_offset": "1d2c7ea89a7ad4f1",
    "faust.transport.consumer.Consumer._wait_next_records": "6218e1969a636b3f",
    "faust.transport.consumer.Consumer.ack": "5fcf41cf45153475",
    "faust.transport.consumer.Consumer.commit": "a354437baaa08bf8",
    "faust.transport.consumer.Consumer.force_commit": "cc094614d22c70fb",
    "faust.transport.consumer.Consumer.on_buffer_full": "c8961679e0bcdce5",
    "faust.transport.consumer.Consumer.on_stop": "45b1d2210ce2b526",
    "faust.transport.consumer.Consumer.perform_seek": "0e8c130ff4b0afd8",
    "faust.transport.consumer.Consumer.resume_partitions": "afe6b7c02a41d63c",
    "faust.transport.consumer.Consumer.wait_empty": "e4662fe24f094819",
    "faust.transport.consumer.ConsumerThread.__init__": "4c82157e36d9fd6b",
    "faust.transport.consumer.Fetcher._fetcher": "68f894f0b577d810",
    "faust.transport.consumer.ThreadDelegateConsumer.__init__": "7072ae80eac1ff62",
    "faust.transport.consumer.ThreadDelegateConsumer._commit": "a20eec84e4b2ed50",
    "faust.transport.consumer.ThreadDelegateConsumer._getmany": "f9d47aa9010b5ff2",
    "faust.transport.consumer.ThreadDelegateConsumer.assignment": "58f5bf9281fb8ef9",
    "faust.transport.consumer.ThreadDelegateConsumer.earliest_offsets": "2833b09d2888825b",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread._commit": "932852ce7a23f658",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread._create_worker_consumer": "c2701bfc3e6f6cad",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread._ensure_consumer": "ff4a4c693b7ec63f",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread._fetch_records": "39a2c6c79fc1455a",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread.assignment": "61f105132ae619f6",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread.earliest_offsets": "5d697cd768735af7",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread.getmany": "26fc5fc9f3b667e1",
    "faust.transport.drivers.aiokafka.AIOKafkaConsumerThread.seek_wait": "12e8d34e554e9024",
    "faust.transport.drivers.aiokafka.Consumer._new_consumer_thread": "0870ec53dea75083",
    "faust.transport.drivers.aiokafka.Consumer._to_message": "7c24f6511b2fcef7",
    "faust.transport.drivers.aiokafka.Producer._ensure_producer": "5592a4bbdf251325",
    "faust.transport.drivers.aiokafka.Producer._settings_extra": "a4c7bc41b6382223",
    "faust.types.tuples.ConsumerMessage.on_final_ack": "45d670b6a8ac4bd0",
    "faust.types.tuples.Message.ack": "4751b72c4ed84153",
    "faust.types.tuples.Message.decref": "f23396189d0e5592",
    "mode.services.Service.__init__": "ab4d12a25b93044a",
    "mode.services.Service.beacon": "e5c21c62e3ddd2f7",
    "mode.services.Service.should_stop": "dfb6c695a63eb332",
    "mode.services.Service.wait_first": "feade6a31f8a6789",
    "mode.services.ServiceBase.__init__": "8d436ca236f20b3a",
    "mode.services.ServiceBase.loop": "49b98d600f2f17b6",
}


def worker_modules() -> Iterator[ModuleType]:
    for info in pkgutil.iter_modules(streams.worker.__path__):
        yield importlib.import_module(f"streams.worker.{info.name}")


def is_upstream(kind: type[Any]) -> bool:
    return kind.__module__.split(".")[0] in UPSTREAM


def our_subclasses() -> list[type[Any]]:
    modules = [importlib.import_module(f"streams.worker.{name}") for name in SUBCLASSING]
    found = [kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass)]
    return [kind for kind in found if kind.__module__.startswith("streams.") and any(map(is_upstream, kind.__mro__))]


def function_in(value: Any) -> Any:
    """The function behind a method, property, descriptor or mode's task; None for anything else, such as a class."""
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    for attribute in ("fget", "fun", "__wrapped__"):
        value = getattr(value, attribute, None) or value
    return value if inspect.isfunction(value) else None


def upstream_definition(kind: type[Any], name: str) -> tuple[str, Any] | None:
    """Where `name` comes from above our own classes: its key here, and its function."""
    for base in kind.__mro__:
        if is_upstream(base) and name in vars(base):
            function = function_in(vars(base)[name])
            return (f"{base.__module__}.{base.__qualname__}.{name}", function) if function is not None else None
    return None


def setter_definition(kind: type[Any], name: str) -> tuple[str, Any] | None:
    """For a name that is set on the instance only: the constructor above our own classes that sets it."""
    for base in kind.__mro__:
        constructor = vars(base).get("__init__")
        if is_upstream(base) and inspect.isfunction(constructor) and f"self.{name}" in inspect.getsource(constructor):
            return f"{base.__module__}.{base.__qualname__}.__init__", constructor
    return None


def names_used_of_self(kind: type[Any]) -> set[str]:
    """What the methods of one of our classes ask of `self` and `super()`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (is_name(node.value, "self") or is_super(node.value)):
            names.add(node.attr)
    return names


def is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and is_name(node.func, "super")


def privates_asked_of_others() -> dict[str, str]:
    """Private names that any module of the worker asks of another object, and the module that asks."""
    trees = {module.__name__: ast.parse(inspect.getsource(module)) for module in worker_modules()}
    nodes = [(name, node) for name, tree in trees.items() for node in ast.walk(tree)]
    own = {node.name for _, node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    asked = {}
    for name, node in nodes:
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
            continue
        if not is_name(node.value, "self") and not is_name(node.value, "cls") and not is_super(node.value):
            asked[node.attr] = name
    return {attribute: name for attribute, name in asked.items() if attribute not in own}


@cache
def fenced() -> dict[str, tuple[str, Any]]:
    """Everything to be pinned: key -> (who needs it, the upstream function)."""
    found: dict[str, tuple[str, Any]] = {}

    def add(definition: tuple[str, Any] | None, who: str) -> None:
        if definition is not None:
            found.setdefault(definition[0], (who, definition[1]))

    for kind in our_subclasses():
        for name in vars(kind):
            if function_in(vars(kind)[name]) is not None:
                add(upstream_definition(kind, name), f"overridden by {kind.__qualname__}")
        for name in names_used_of_self(kind):
            definition = upstream_definition(kind, name)
            if definition is None and name not in own_names(kind):
                definition = setter_definition(kind, name)
            add(definition, f"used by {kind.__qualname__}")
    for name, module in privates_asked_of_others().items():
        for kind in LOOKED_UP_IN:
            add(upstream_definition(kind, name) or setter_definition(kind, name), f"{name} is used by {module}")
    for kind, names in LEANED_ON.items():
        for name in names:
            add(upstream_definition(kind, name), "leaned on")
    return found


def own_names(kind: type[Any]) -> set[str]:
    """Names that our own classes define or set."""
    ours = [base for base in kind.__mro__ if base.__module__.startswith("streams.")]
    assigned = {
        node.attr
        for base in ours
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base))))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_name(node.value, "self")
    }
    return assigned | {name for base in ours for name in vars(base)}


def source_hash(function: Any) -> str:
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]


def test_our_subclasses_are_found() -> None:
    names = {kind.__name__ for kind in our_subclasses()}

    assert names >= {"RunConsumer", "RunConsumerThread", "IdempotentProducer", "RunTransport", "RunSchema"}
    assert names >= {"StateTable", "VersionedStore"}


def test_no_other_module_of_the_worker_derives_from_faust() -> None:
    for module in worker_modules():
        if module.__name__.rsplit(".", 1)[1] in SUBCLASSING:
            continue
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if kind.__module__ == module.__name__:
                assert not any(map(is_upstream, kind.__mro__)), f"{kind} is not fenced: move it, or name its module"


def test_what_is_overridden_is_seen() -> None:
    overridden = {key for key, (who, _) in fenced().items() if who.startswith("overridden")}

    assert "faust.transport.consumer.Consumer._commit_offsets" in overridden
    assert "faust.stores.rocksdb.Store.apply_changelog_batch" in overridden
    assert "faust.transport.drivers.aiokafka.Producer._settings_extra" in overridden
    assert "faust.transport.consumer.Consumer._commit_livelock_detector" in overridden


def test_every_private_name_asked_of_another_object_is_known() -> None:
    known = {name for kind in LOOKED_UP_IN for base in kind.__mro__ for name in vars(base)}
    for name, module in privates_asked_of_others().items():
        is_known = name in known or any(setter_definition(kind, name) for kind in LOOKED_UP_IN)
        assert is_known or name in OTHERS_PRIVATES, f"{module} asks for {name}, which is not fenced"


@pytest.mark.parametrize("kind", LEANED_ON, ids=lambda kind: kind.__qualname__)
def test_what_we_lean_on_is_there(kind: type[Any]) -> None:
    for name in LEANED_ON[kind]:
        assert upstream_definition(kind, name), f"{kind.__module__}.{kind.__qualname__} has no {name} any more"


@pytest.mark.parametrize("key", sorted({*fenced(), *PINNED}))
def test_upstream_is_as_it_was_when_our_code_was_written(key: str) -> None:
    who, function = fenced().get(key, ("", None))
    assert function is not None, f"{key} is pinned, but nothing here needs it any more: drop its line"
    found, place = source_hash(function), f"{Path(inspect.getfile(function))}:{function.__code__.co_firstlineno}"

    assert key in PINNED, f'{key} ({who}) is not pinned. Read {place}, then add:\n    "{key}": "{found}",'
    assert PINNED[key] == found, f"{key} ({who}) has changed: read {place}, then what leans on it, then pin {found}"

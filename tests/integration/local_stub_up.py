"""`streams up` with stub roles in place of ours: `local_stub_up.py DATA_DIR OPTION=VALUE ...`.

kafka-port, registry-port, gateway-port, gateway-ops-port, monitor-port: as for `up`, default 0
gateway, worker, monitor, demo: arguments of that stub; `demo` starts it
topics: exit code of `topics apply`
roles-timeout, stop-timeout: seconds the roles have to become ready, and to end
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from streams.local import system
from streams.local.launcher import Plan, UpOptions, up
from streams.local.roles import Role, Roles

STUB = Path(__file__).with_name("local_stub_role.py")


def main() -> int:
    data_dir, *pairs = sys.argv[1:]
    given = dict(pair.split("=", 1) for pair in pairs)
    port_names = ("kafka_port", "registry_port", "gateway_port", "gateway_ops_port", "monitor_port")
    ports = {name: int(given.get(name.replace("_", "-"), 0)) for name in port_names}

    def stub(data_dir: Path, name: str, port: int | None) -> Role:
        argv = (sys.executable, "-S", str(STUB), str(port or 0), *shlex.split(given.get(name, "")))
        return Role(name, argv, data_dir / "logs" / f"{name}.log", ready_port=port, may_finish=port is None)

    def stub_roles(options: UpOptions, plan: Plan, data_dir: Path) -> Roles:
        to = plan.endpoints
        ready = (("gateway", to.gateway_ops_port), ("worker", to.streams_ops_port), ("monitor", to.monitor_port))
        return Roles(
            topics=Role(
                "topics",
                (sys.executable, "-S", str(STUB), "0", "--exit", given.get("topics", "0")),
                data_dir / "logs" / "topics.log",
            ),
            serving=tuple(stub(data_dir, name, port) for name, port in ready),
            demo=(stub(data_dir, "demo", None),) if options.demo else (),
        )

    system.ROLES_TIMEOUT_S = float(given.get("roles-timeout", system.ROLES_TIMEOUT_S))
    if patience_s := given.get("stop-timeout"):
        system.STOP_TIMEOUT_S = dict.fromkeys(system.STOP_TIMEOUT_S, float(patience_s))
    return up(UpOptions(demo="demo" in given, data_dir=Path(data_dir), **ports), stub_roles)


if __name__ == "__main__":
    sys.exit(main())

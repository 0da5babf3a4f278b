"""The monitor's settings: which of `schemas.runtime.settings` it is made of."""

from schemas.runtime.settings import AccountVariables, LogVariables, MonitorVariables, SignatureVariables
from streams.settings import DeploymentSettings


class MonitorSettings(MonitorVariables, DeploymentSettings, SignatureVariables, AccountVariables, LogVariables):
    """What the monitor runs with.

    window_s: the pane's length, as the worker has it; requests may ask for its multiples.
    group: the worker's consumer group, shown even before it was ever seen.
    groups: which others are watched; see streams/monitor/lag/watched.py.
    signing_keys, account_timezone and the like: the gateway's, for the probe.
    """

"""Why a process ended: one exit code per situation, the same in every role and tool."""

from typing import Final

# A tool's answer is no: not accepted, different, nothing matches.
NO: Final = 1

# An unknown command, option or word; the choices are named (click's code).
USAGE: Final = 2

# A port cannot be listened on.
PORT_TAKEN: Final = 3

# Another process holds the directory of data or the spool.
DATA_IN_USE: Final = 4

# `up` cannot get Kafka or the registry from the network.
DOWNLOAD: Final = 5

# A directory or file cannot be read or written: full, read-only, no rights, not a directory.
DISK: Final = 6

# `up` has no Java for this machine.
JAVA: Final = 7

# Kafka or the schema registry is away, refuses us, or has topics that are not as declared (sysexits.h).
UNAVAILABLE: Final = 69

# A fault of ours. The worker has stopped without a commit, so nothing is lost: start it again (sysexits.h).
INTERNAL: Final = 70

# A setting is missing, wrong or unknown (sysexits.h).
SETTINGS: Final = 78

# Ctrl-C before anything was started.
INTERRUPTED: Final = 130

TABLE: Final = {
    0: "ended as asked: SIGTERM, Ctrl-C, or the work is done",
    NO: "a tool's answer is no: not accepted, windows differ, nothing matches",
    USAGE: "unknown command, option or word; the choices are named",
    PORT_TAKEN: "a port cannot be listened on",
    DATA_IN_USE: "another process holds the data directory or the spool",
    DOWNLOAD: "`up` cannot download Kafka or the registry",
    DISK: "a directory or file cannot be read or written: full, no rights, no directory",
    JAVA: "`up` has no Java for this machine",
    UNAVAILABLE: "Kafka or the registry is away or refuses us, or topics are not as declared",
    INTERNAL: "a fault of ours; the worker has committed nothing that was not settled: start it again",
    SETTINGS: "a setting is missing, wrong or unknown; a certificate or key cannot be used",
    INTERRUPTED: "Ctrl-C before anything was started",
}

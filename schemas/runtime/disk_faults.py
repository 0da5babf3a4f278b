"""Why a directory or file cannot be used, in words."""

import errno
from typing import Final

_WORDS: Final = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk is full",
    errno.EEXIST: "it is no directory",
    errno.ENOTDIR: "it is no directory",
    errno.EISDIR: "it is a directory, no file",
    errno.EROFS: "its file system is read-only",
    errno.EACCES: "we have no right to it",
    errno.EPERM: "we have no right to it",
    errno.ENOENT: "there is no such file",
}


def in_words(error: OSError) -> str:
    """The cause, without the path, which the caller names."""
    return _WORDS.get(error.errno or 0) or error.strerror or str(error)

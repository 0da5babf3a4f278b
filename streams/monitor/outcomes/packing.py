"""Pure: packed panes in little memory. What a pane has in common with the first one of its value is not kept again.

A value's panes name the same workflow, questions, words and lines: such a pane takes a tenth.
"""

import zlib
from typing import Final

# The window holds the dictionary of all but the largest; a small one costs little to set up for each pane.
WINDOW_BITS: Final = -13
MEMORY_LEVEL: Final = 6
LEVEL: Final = 1


def shrunk(packed: bytes, like: bytes) -> bytes:
    """`packed`, by what it has in common with `like`."""
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW_BITS, MEMORY_LEVEL, zlib.Z_DEFAULT_STRATEGY, like)
    return deflate.compress(packed) + deflate.flush()


def restored(small: bytes, like: bytes) -> bytes:
    """What `shrunk` was given."""
    return zlib.decompressobj(WINDOW_BITS, like).decompress(small)

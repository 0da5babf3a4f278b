"""The shell that runs the blocks of the READMEs finds what a reader would stumble over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.readme import Block, BlockError, Shell, blocks_of

LIMIT_S = 20.0
MARKDOWN = """\
```sh
one
```
Not run: `two`
```text
three
```
- in a list
  ```python
  if True:
      four
  ```
"""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with Shell(tmp_path, dict(os.environ), tmp_path / "scratch") as shell:
        yield shell


def test_shell_and_python_blocks_are_found_with_their_lines() -> None:
    assert blocks_of(MARKDOWN) == [Block("sh", "one", 1), Block("python", "if True:\n    four", 9)]


def test_what_a_block_sets_is_there_for_the_next_also_for_a_program(shell: Shell) -> None:
    shell.run(Block("sh", "mkdir deep\ncd deep\nname=one\nsay() { echo $name $PWD; }\nexport name", 1), LIMIT_S)

    assert shell.run(Block("sh", "say", 2), LIMIT_S).split()[0] == "one"
    assert shell.run(Block("python", "import os; print(os.environ['name'])", 3), LIMIT_S) == "one\n"


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (Block("sh", "echo before\nfalse\necho after", 7), r"line 7 failed:\necho before[^-]*--- output ---\nbefore$"),
        (Block("sh", "exit 0", 7), "line 7 failed"),
        (Block("sh", "echo $(cat)sleep; sleep 60", 7), r"did not end within 1 s(.|\n)*sleep$"),
        (Block("python", "print('well'); raise SystemExit(3)", 7), "line 7 ended with 3"),
        (Block("python", "pass", 7), "line 7 ended with 0"),
    ],
    ids=["fails", "ends the shell", "hangs, with nothing to read", "program fails", "program says nothing"],
)
def test_a_block_that_does_not_work_is_shown_with_what_it_printed(tmp_path: Path, block: Block, why: str) -> None:
    shell = Shell(tmp_path, dict(os.environ), tmp_path / "scratch")
    with pytest.raises(BlockError, match=why), shell:
        shell.run(block, 1.0 if "sleep" in block.text else LIMIT_S)


@pytest.mark.parametrize("ending", ["", "except KeyboardInterrupt: print('done')"])
def test_a_program_without_end_is_ended_by_ctrl_c_after_its_first_line(shell: Shell, ending: str) -> None:
    loop = "import time\ntry:\n  while True: print('tick'); time.sleep(0.2)\n" + (ending or "finally: pass")

    assert "tick" in shell.run(Block("python", loop, 1), LIMIT_S)

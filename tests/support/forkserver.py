"""Python programs that start in no time: a process that has imported what they need forks for each.

    with forkserver.program(folder / "python3", "-m", "pip", "download", "--help") as python: ...

makes a program that takes `-m MODULE ARGUMENT...` as Python does, or the name of a command that is
installed and its arguments. What runs is that module or command itself, in a process of its own,
with the environment, folder and files of its caller; the server ran it once with the words that are
given, and what that imported is there from the start.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import shlex
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path

_MOST = 1 << 17
"""Bytes of a request: its words and its environment."""


@contextmanager
def program(path: Path, *first: str) -> Iterator[Path]:
    """The program, while its server is there; `first` are the words that it is run with first."""
    address = path.with_suffix(".socket")
    command = [sys.executable, __file__, "serve", str(address), *first]
    # what is in the environment of the tests is not for what they start
    bare = {"PATH": os.environ["PATH"]}
    with subprocess.Popen(
        command, env=bare, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            words = [sys.executable, "-I", "-S", __file__, "ask", str(address)]
            path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', "utf-8")
            path.chmod(0o755)
            yield path
        finally:
            server.kill()


def _serve(address: str, first: Sequence[str]) -> None:
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
        contextlib.suppress(SystemExit),
    ):
        _main(first)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)  # noqa: T201 - whoever started it waits for it
        while True:
            caller, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                request, files, *_ = socket.recv_fds(caller, _MOST, 3)
                caller.send(str(_run(json.loads(request), files)).encode())
                # what an interpreter tidies up at its end is shared by all forks: a copy of it all
                os.kill(os.getpid(), signal.SIGKILL)
            caller.close()
            while _ended():
                pass


def _ended() -> bool:
    """Whether a process that answered has ended since; it is no zombie then."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _run(request: dict[str, object], files: Sequence[int]) -> int:
    """Be the program; gives its exit status."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.chdir(str(request["folder"]))
    os.environ.clear()
    os.environ.update(dict(request["environment"]))  # type: ignore[call-overload]
    sys.path[0] = os.getcwd()
    try:
        _main(list(request["words"]))  # type: ignore[call-overload]
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _main(words: Sequence[str]) -> None:
    """Run a module as the main one, or a command."""
    if words[0] == "-m":
        sys.argv = list(words[1:])
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(words)
        (command,) = entry_points(group="console_scripts", name=words[0])
        sys.exit(command.load()())


def _ask(address: str, words: Sequence[str]) -> int:
    """Have a server run something; gives its exit status."""
    about = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(address)
        socket.send_fds(server, [json.dumps(about).encode()], [0, 1, 2])
        return int(server.recv(20) or b"1")


if __name__ == "__main__":
    _, role, where, *rest = sys.argv
    if role == "serve":
        _serve(where, rest)
    sys.exit(_ask(where, rest))

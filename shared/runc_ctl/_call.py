"""One runc call: its private log, its answer, and the error if it has one."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ._errors import RuncError, RuncNotFound, Timeout, error_from_log
from ._log import read_log
from ._process import Process

#: What a cancelled runc gets to clear up after what was killed under it, in seconds.
GRACE_S = 2.0

#: The longest line of `events` that is read, in bytes; figures of every CPU stand in it.
_LINE_LIMIT = 16 * 2**20

# execve's ways to say that there is nothing to run.
_NO_PROGRAM = frozenset({errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ENOEXEC})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command line and how long it may take."""

    #: runc and its global flags.
    program: tuple[str, ...]
    #: The subcommand, its flags and arguments.
    args: tuple[str, ...]
    #: What an error calls it, such as ``runc exec c1``.
    subject: str
    #: None for no limit; one that waits for a process has none either.
    timeout_s: float | None
    #: Whether it stays until the container's process ends, and exits with its status.
    waits: bool
    #: Where runc's log lines are added, for a caller who wants to keep them.
    keep_log: Path | None

    async def answer(self, *, heeds_log: bool = False) -> str:
        """Run it and return what it printed. Raises RuncError unless it exits with 0.

        With *heeds_log* a complaint in the log is a failure too, whatever the exit status.
        """
        with self._private_log() as log, tempfile.TemporaryFile() as out:
            # What runc prints goes to files: whatever a hook leaves behind can't hold us up
            # as it could on a pipe. Its stderr joins its log, for lines said before the log
            # was open.
            with log.open("ab") as err:
                process = self._start((None, out.fileno(), err.fileno()), log)
            returncode = await self._finish(process)
            if returncode or (heeds_log and _gave_up(log)):
                raise self._failure(returncode, log)
            return _content(out)

    async def attach(self, fds: Sequence[int | None]) -> int:
        """Run it with the container's descriptors and return the exit status.

        Raises RuncError if the failure is runc's own: it was killed, it exits with an error
        in its log, or it was not to wait for the container's process, whose exit status any
        other is.
        """
        with self._private_log() as log:
            returncode = await self._finish(self._start(fds, log))
            if returncode < 0 or (returncode > 0 and (not self.waits or _gave_up(log))):
                raise self._failure(returncode, log)
            return returncode

    async def lines(self) -> AsyncGenerator[str, None]:
        """Run it and yield what it prints, line by line. Raises RuncError at the end."""
        with self._private_log() as log:
            reading, writing = os.pipe()
            try:
                with log.open("ab") as err:
                    process = self._start((None, writing, err.fileno()), log)
            except BaseException:
                os.close(reading)
                raise
            finally:
                os.close(writing)
            try:
                async with aclosing(_lines(reading)) as lines:
                    async for line in lines:
                        yield line
                returncode = await process.wait()
            finally:
                await process.end(0)
            if returncode:
                raise self._failure(returncode, log)

    async def insist(self) -> None:
        """Run it to its end even if the caller is cancelled meanwhile, as it already may be.

        Raises RuncError unless it exits with 0.
        """
        with self._private_log() as log:
            with log.open("ab") as err:
                process = self._start((None, None, err.fileno()), log)
            returncode = await process.outlast()
            if returncode:
                raise self._failure(returncode, log)

    def _start(self, fds: Sequence[int | None], log: Path) -> Process:
        argv = (*self.program, "--log", str(log), "--log-format", "json", *self.args)
        try:
            return Process(argv, fds)
        except OSError as error:
            if error.errno not in _NO_PROGRAM:
                raise
            raise RuncNotFound(
                f"cannot run {self.program[0]}: {error.strerror}",
                subject=self.subject,
                command=self.program + self.args,
            ) from error

    async def _finish(self, process: Process) -> int:
        try:
            async with asyncio.timeout(None if self.waits else self.timeout_s):
                return await process.wait()
        except TimeoutError as error:
            raise Timeout(
                f"not finished after {self.timeout_s} s",
                subject=self.subject,
                command=self.program + self.args,
            ) from error
        finally:
            await process.end(GRACE_S)

    @contextmanager
    def _private_log(self) -> Iterator[Path]:
        # A file without a name: it is gone with this process, even if that is killed.
        with tempfile.TemporaryFile() as file:
            log = Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")
            try:
                yield log
            finally:
                if self.keep_log:
                    with self.keep_log.open("ab") as kept:
                        kept.write(log.read_bytes())

    def _failure(self, returncode: int, log: Path) -> RuncError:
        return error_from_log(
            log.read_text(errors="replace"),
            subject=self.subject,
            command=self.program + self.args,
            returncode=returncode,
        )


def _gave_up(log: Path) -> bool:
    # Giving up is the last thing runc does; an error before that may be about a signal it
    # could not pass on, and the exit status still the process's.
    entries = read_log(log.read_text(errors="replace"))
    return bool(entries) and entries[-1].is_error


def _content(file: BinaryIO) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


async def _lines(pipe: int) -> AsyncGenerator[str, None]:
    reader = asyncio.StreamReader(limit=_LINE_LIMIT)
    # The transport owns the pipe from here on, and closes it.
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", 0)
    )
    try:
        while line := await reader.readline():
            yield line.decode(errors="replace")
    finally:
        transport.close()

"""`python -m local_estate [--config FILE] [--exit-with-parent]`

Starts the estate on loopback, prints one JSON line when it is ready, and serves until SIGTERM, SIGINT or SIGHUP.

Exit status: 0 ended by a signal; 1 it cannot start (a port or address cannot be had); 2 wrong arguments or settings.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import gc
import json
import logging
import os
import signal
import sys
from pathlib import Path

import uvloop

from local_estate.config import ConfigError, EstateConfig, load
from local_estate.estate import Estate
from local_estate.ports import CannotBind
from local_estate.regions import RegionError

PR_SET_PDEATHSIG = 1
PARENT_POLL_S = 0.2


def main(arguments: list[str] | None = None) -> int:
    """Run an estate; return the exit status."""
    parent = os.getppid()
    parser = argparse.ArgumentParser(
        prog="python -m local_estate", description="Azure, as far as a client can tell, on loopback."
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings: TOML, or JSON in a file named .json")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when the parent process does")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="local_estate: %(levelname)s %(message)s")
    try:
        config = load(options.config)
    except ConfigError as error:
        return _said(str(error), 2)
    try:
        status: int = uvloop.run(_run(config, parent if options.exit_with_parent else None))
    except (CannotBind, RegionError) as error:
        return _said(str(error), 1)
    except OSError as error:
        return _said(f"cannot start: {error}", 1)
    return status


async def _run(config: EstateConfig, parent: int | None) -> int:
    """Start, say so, wait for a signal, stop. Handlers are there before anything is, so that no signal is lost."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    estate = Estate(config)
    watching = loop.create_task(_with_parent(parent, estate)) if parent is not None else None
    try:
        starting = loop.create_task(estate.start())
        waiting = loop.create_task(ended.wait())
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            ready = json.dumps(await starting)
            gc.freeze()  # what starting made will stay
            _print(ready)
            await waiting
        else:
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
        waiting.cancel()
    finally:
        await estate.stop()
        if watching is not None:
            watching.cancel()
    return 0


async def _with_parent(parent: int, estate: Estate) -> None:
    """End at once when the parent is gone: the kernel tells where it can (Linux), else it is noticed by looking.

    Nobody is left to wait for a graceful end; the regions die with this process.
    """
    gone = asyncio.Event()
    if sys.platform == "linux":
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, gone.set)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGUSR1)
    while os.getppid() == parent:
        gone.clear()  # Linux also tells when just the thread that started us ended
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(gone.wait(), PARENT_POLL_S)
    estate.abandon()
    os._exit(0)


def _print(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)


def _said(message: str, status: int) -> int:
    print(f"local_estate: {' '.join(message.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())

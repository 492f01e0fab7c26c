"""Plain functions on threads of their own: one that waits keeps nobody else from being called."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def on_thread(name: str, function: Callable[[], T]) -> asyncio.Future[T]:
    """What the function gives, or raises. A thread is not stopped when nobody waits for it any more."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(act: Callable[[], None]) -> None:
        def unless_cancelled() -> None:
            if not future.done():
                act()

        try:
            loop.call_soon_threadsafe(unless_cancelled)
        except RuntimeError:
            # The loop is closed: there is nobody to tell.
            return

    def work() -> None:
        try:
            value = context.run(function)
        except StopIteration:
            # A future takes any exception but this.
            settle(lambda: future.set_exception(RuntimeError(f"{name} raised StopIteration")))
        except BaseException as error:
            raised = error
            settle(lambda: future.set_exception(raised))
        else:
            settle(lambda: future.set_result(value))

    threading.Thread(target=work, name=name, daemon=True).start()
    return future

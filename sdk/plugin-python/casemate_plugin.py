"""What a plugin for Casemate in Python needs, over the world of plugin.wit.

    from casemate_plugin import Error, Plugin

    plugin = Plugin("greeter", "Greeter", "0.1.0")

    @plugin.method
    def greet(name: str) -> dict:
        return {"greeting": f"Hello, {name}!"}

    Guest = plugin.guest()

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import json
from typing import Any, Callable

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import host as _host
from wit_world.imports.types import Body, Content

__all__ = ["Error", "Plugin", "cancelled", "host_call", "host_call_raw", "kv", "log", "publish"]


class Error(Exception):
    """What a method answers instead of a value, and what a host call can fail with."""

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


class Plugin:
    """What the module is and has. There is one in a module, and its Guest is the world's."""

    def __init__(self, id: str, name: str, version: str) -> None:
        self.id, self.name, self.version = id, name, version
        self._methods: dict[str, Callable[[Body], Body]] = {}
        self._rows: list[dict[str, str]] = []
        self._init: Callable[[Any], None] | None = None
        self._event: Callable[[str, Any], None] | None = None

    def method(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A method on JSON: the members of an object are its arguments by name; anything else is its one argument."""

        def call(request: Body) -> Body:
            value = _parsed(request, f"method `{function.__name__}`")
            return _json(_called(function, value))

        return self._add(function, "json", call)

    def raw(self, function: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
        """A method on bytes."""

        def call(request: Body) -> Body:
            return Body(Content.BYTES, bytes(function(bytes(request.data))))

        return self._add(function, "raw", call)

    def init(self, function: Callable[[Any], None]) -> Callable[[Any], None]:
        """Runs once, before everything else, with the configuration: None without one. An Error refuses it."""
        self._init = function
        return function

    def event(self, function: Callable[[str, Any], None]) -> Callable[[str, Any], None]:
        """Takes events of the topics that the manifest's subscriptions name."""
        self._event = function
        return function

    def guest(self) -> type:
        """The world's guest: assign it to the name Guest."""
        plugin = self

        class Guest(exports.Guest):
            def init(self, configuration: Body) -> None:
                if plugin._init is not None:
                    value = _parsed(configuration, "configuration") if configuration.data else None
                    _answered(lambda: plugin._init(value))

            def describe(self) -> Body:
                rows = {"id": plugin.id, "name": plugin.name, "version": plugin.version}
                return _json({**rows, "methods": plugin._rows})

            def call(self, method: str, request: Body) -> Body:
                return _answered(lambda: plugin._find(method)(request))

            def event(self, topic: str, event: Body) -> None:
                _answered(lambda: plugin._take(topic, event))

        return Guest

    def _add(self, function: Any, content: str, call: Callable[[Body], Body]) -> Any:
        self._methods[function.__name__] = call
        self._rows.append({"name": function.__name__, "content": content})
        return function

    def _find(self, method: str) -> Callable[[Body], Body]:
        if method not in self._methods:
            known = ", ".join(f"`{name}`" for name in self._methods)
            raise Error("unknown_method", f"plugin `{self.id}` has no method `{method}`; it has {known}")
        return self._methods[method]

    def _take(self, topic: str, event: Body) -> None:
        if self._event is None:
            raise Error("no_event", "it takes no events")
        is_json = event.content == Content.JSON
        self._event(topic, _parsed(event, f"event `{topic}`") if is_json else bytes(event.data))


def host_call(method: str, value: Any = None) -> Any:
    """A function of the host's, with JSON both ways."""
    return _parsed(_asked(method, _json(value)), f"host call `{method}`")


def host_call_raw(method: str, data: bytes) -> bytes:
    """A function of the host's, with bytes both ways."""
    return bytes(_asked(method, Body(Content.BYTES, data)).data)


def publish(topic: str, value: Any) -> None:
    """An event for whoever has subscribed to its topic."""
    name, body = topic.encode(), _json(value).data
    _asked("events.publish", Body(Content.BYTES, len(name).to_bytes(2, "little") + name + b"\x01" + body))


def cancelled() -> bool:
    """Whether the running call is over its deadline."""
    return _host.cancelled()


class log:
    """Lines for the host's log."""

    @staticmethod
    def trace(line: object) -> None:
        _host.log(_host.Level.TRACE, str(line))

    @staticmethod
    def debug(line: object) -> None:
        _host.log(_host.Level.DEBUG, str(line))

    @staticmethod
    def info(line: object) -> None:
        _host.log(_host.Level.INFO, str(line))

    @staticmethod
    def warn(line: object) -> None:
        _host.log(_host.Level.WARN, str(line))

    @staticmethod
    def error(line: object) -> None:
        _host.log(_host.Level.ERROR, str(line))


class kv:
    """What the host keeps for this plugin: bytes by their keys."""

    @staticmethod
    def get(key: str) -> bytes | None:
        """The value of a key; None where there is none."""
        value = host_call("kv.get", {"key": key})["value"]
        return None if value is None else base64.b64decode(value)

    @staticmethod
    def set(key: str, value: bytes) -> None:
        host_call("kv.set", {"key": key, "value": base64.b64encode(value).decode()})

    @staticmethod
    def delete(key: str) -> bool:
        """Whether there was one."""
        return host_call("kv.delete", {"key": key})["deleted"]

    @staticmethod
    def list(prefix: str = "", after: str | None = None, limit: int = 100) -> tuple[list[str], bool]:
        """The keys that begin with prefix and come after `after`, and whether there are more."""
        answer = host_call("kv.list", {"prefix": prefix, "after": after, "limit": limit})
        return answer["keys"], answer["more"]


def _called(function: Callable[..., Any], value: Any) -> Any:
    try:
        return function(**value) if isinstance(value, dict) else function(value)
    except TypeError as error:
        # Arguments that do not fit are the caller's; a mistake inside the function has a longer trace.
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:
            raise Error("bad_input", f"method `{function.__name__}`: {error}") from error
        raise


def _asked(method: str, request: Body) -> Body:
    try:
        return _host.call(method, request)
    except Err as failed:
        error = _parsed(failed.value, f"the error of host call `{method}`")
        retryable = bool(error.get("retryable", False))
        raise Error(error.get("code", "failed"), error.get("message", ""), retryable=retryable) from None


def _answered(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Error as error:
        failure = {"code": error.code, "message": error.message, "retryable": error.retryable}
    except Exception as error:
        failure = {"code": "failed", "message": f"{type(error).__name__}: {error}", "retryable": False}
    raise Err(_json(failure))


def _json(value: Any) -> Body:
    return Body(Content.JSON, json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _parsed(body: Body, what: str) -> Any:
    if body.content != Content.JSON:
        raise Error("bad_input", f"{what}: this is bytes, not JSON")
    try:
        return json.loads(bytes(body.data))
    except ValueError as error:
        raise Error("bad_input", f"{what}: {error}") from None

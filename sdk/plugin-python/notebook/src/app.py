"""Keeps pages in the host: configuration, host calls, kv, events, log and raw bytes in one plugin."""

from typing import Any

from casemate_plugin import Error, Plugin, host_call, kv, log, publish

plugin = Plugin("notebook", "Notebook", "0.1.0")
state: dict[str, Any] = {"owner": "nobody", "heard": 0}


@plugin.init
def init(configuration: Any) -> None:
    if configuration is None:
        return
    if not configuration.get("owner"):
        raise Error("no_owner", "somebody must own it")
    state["owner"] = configuration["owner"]


@plugin.method
def write(page: str, text: str) -> dict[str, str]:
    kv.set(page, text.encode())
    publish("notes.written", {"page": page})
    log.info(f"wrote {page}")
    return {"owner": state["owner"], "page": page}


@plugin.method
def read(page: str) -> dict[str, str | None]:
    kept = kv.get(page)
    return {"text": None if kept is None else kept.decode()}


@plugin.method
def erase(page: str) -> dict[str, bool]:
    return {"erased": kv.delete(page)}


@plugin.method
def pages(_: Any) -> dict[str, list[str]]:
    return {"pages": kv.list()[0]}


@plugin.method
def now(_: Any) -> dict[str, str]:
    return {"now": host_call("clock.now")}


@plugin.method
def heard(_: Any) -> dict[str, int]:
    return {"heard": state["heard"]}


@plugin.raw
def reverse(body: bytes) -> bytes:
    return body[::-1]


@plugin.event
def hear(topic: str, body: Any) -> None:
    log.info(f"heard {topic}")
    state["heard"] += 1


Guest = plugin.guest()

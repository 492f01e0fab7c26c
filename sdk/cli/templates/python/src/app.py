"""Greets."""

from casemate_plugin import Error, Plugin, log

plugin = Plugin("{{name}}", "{{name}}", "0.1.0")


@plugin.method
def greet(name: str) -> dict[str, str]:
    if not name:
        raise Error("no_name", "there is nobody to greet")
    log.info(f"greeting {name}")
    return {"greeting": f"Hello, {name}!"}


Guest = plugin.guest()

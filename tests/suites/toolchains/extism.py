"""Calls functions of a plugin in Extism's own host: from standard input its manifest and the calls, each answer a line."""

import base64
import json
import sys

import extism


@extism.host_fn()
def shout(text: str) -> str:
    return text.upper()


order = json.load(sys.stdin)
plugin = extism.Plugin(order["manifest"], wasi=False, functions=[shout])
for function, body in order["calls"]:
    try:
        answer = {"output": base64.b64encode(plugin.call(function, base64.b64decode(body))).decode()}
    except extism.Error as error:
        answer = {"error": str(error)}
    print(json.dumps(answer))

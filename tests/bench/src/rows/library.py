"""What tests/guests/hielements answers, as a program of the host's that speaks JSON-RPC."""

import json
import sys


def call(request):
    function, args = request["function"], request["args"]
    if function == "module_selector":
        return {"Scope": {"kind": args[0], "paths": [], "resolved": True}}
    number = 1
    for _ in range(args[0]):
        number ^= (number << 13) & 0xFFFFFFFF
        number ^= number >> 17
        number ^= (number << 5) & 0xFFFFFFFF
    return {"Int": number}


for line in sys.stdin:
    message = json.loads(line)
    answer = {"jsonrpc": "2.0", "id": message["id"], "result": {}}
    if message["method"] == "library.call":
        answer["result"] = call(message["params"])
    print(json.dumps(answer), flush=True)

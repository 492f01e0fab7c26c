"""Has graphviz.wasm draw a graph in wasmtime, by the calls that its package makes: the graph on standard input, the picture out."""

import struct
import sys

import wasmtime

engine = wasmtime.Engine()
store = wasmtime.Store(engine)
linker = wasmtime.Linker(engine)
linker.define_wasi()
store.set_wasi(wasmtime.WasiConfig())
module = wasmtime.Module.from_file(engine, sys.argv[1])
exports = linker.instantiate(store, module).exports(store)
memory = exports["memory"]


def text(data):
    address = exports["malloc"](store, len(data) + 1)
    memory.write(store, data + b"\0", address)
    return address


graph = text(sys.stdin.buffer.read())
length = exports["malloc"](store, 4)
picture = exports["graphviz_render"](store, graph, text(sys.argv[2].encode()), text(b"dot"), length)
if picture == 0:
    sys.exit("it drew nothing")
bytes_ = struct.unpack("<I", memory.read(store, length, length + 4))[0]
sys.stdout.buffer.write(memory.read(store, picture, picture + bytes_))

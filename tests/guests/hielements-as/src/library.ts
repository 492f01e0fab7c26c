// The example of Hielements' design, in AssemblyScript: the answers of ../hielements, which is the design's own, in Rust.
//
// AssemblyScript returns one number: address << 32 | length.
import { Kind, Value, Writer } from "../../../../sdk/assemblyscript/casemate";

/** No free is defined: what the host asked for here stays, as all does in this runtime. */
export function alloc(size: i32): usize {
  return heap.alloc(size);
}

export function library_call(address: usize, length: i32): u64 {
  const value = parse(address, length);
  const wrong = isNoRequest(value);
  if (wrong != null) return give("Error", "Failed to parse request: " + wrong);
  const name = value!.textOf("function");
  if (name != "module_selector") return give("Error", "Unknown function: " + name);
  const scope = new Writer().open().key("kind").text(path(value!)).key("paths").openArray().closeArray();
  return pass(new Writer().open().key("Scope").json(scope.key("resolved").bool(true).close().toString()).close());
}

export function library_check(address: usize, length: i32): u64 {
  const value = parse(address, length);
  const wrong = isNoRequest(value);
  if (wrong != null) return give("Error", "Failed to parse request: " + wrong);
  const name = value!.textOf("function");
  if (name != "is_module") return give("Error", "Unknown function: " + name);
  if (!path(value!).endsWith("/")) return give("Fail", path(value!) + " is not a folder");
  return pass(new Writer().open().key("Pass").json("null").close());
}

function parse(address: usize, length: i32): Value | null {
  return Value.parse(String.UTF8.decodeUnsafe(address, length));
}

/** Why it is none, or nothing. */
function isNoRequest(value: Value | null): string | null {
  if (value == null) return "it is not JSON";
  if (!isKind(value.get("function"), Kind.Text)) return "function is a text";
  if (!isKind(value.get("args"), Kind.Array)) return "args is an array";
  if (!isKind(value.get("workspace"), Kind.Text)) return "workspace is a text";
  return null;
}

function isKind(value: Value | null, kind: Kind): bool {
  return value != null && value.kind == kind;
}

function path(request: Value): string {
  const args = request.get("args")!.items;
  return args.length > 0 && args[0].kind == Kind.Text ? args[0].text : "";
}

/** {"TAG": "TEXT"} */
function give(tag: string, text: string): u64 {
  return pass(new Writer().open().key(tag).text(text).close());
}

function pass(out: Writer): u64 {
  const bytes = String.UTF8.encode(out.toString());
  return (u64(changetype<usize>(bytes)) << 32) | u64(bytes.byteLength);
}

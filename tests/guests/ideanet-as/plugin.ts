// The example of IdeaNet's development kit in AssemblyScript: the block type, the subscription and the answers of
// ../ideanet-custom-block, which is the design's own, in Rust. A block of bytes is its length, then the bytes.
import { Kind, Value, Writer, bytesOf, fromBase64, textOf, toBase64 } from "../../../sdk/assemblyscript/casemate";

@external("ideanet", "host_call")
declare function host_call(request: usize, length: i32): usize;

let created: i32 = 0;

export function alloc(size: i32): usize {
  return heap.alloc(size);
}

export function dealloc(address: usize, size: i32): void {
  heap.free(address);
}

export function initialize(configuration: usize, length: i32): i32 {
  const type = new Writer().open().key("id").text("my-custom-block").key("name").text("My Custom Block");
  if (isRefused(ask("ui.register_block_type", type.key("component").text("MyCustomBlockComponent").close()))) return 1;
  const topic = new Writer().open().key("topic").text("content.created").close();
  return i32(isRefused(ask("events.subscribe", topic)));
}

export function shutdown(): i32 {
  return 0;
}

export function handle_event(told: usize, length: i32): i32 {
  const event = Value.parse(textAt(told, length));
  if (event != null && event.textOf("topic") == "content.created") created += 1;
  return 0;
}

export function handle_command(asked: usize, length: i32): usize {
  const command = Value.parse(textAt(asked, length));
  const action = command ? command.textOf("action") : "";
  const payload = command ? command.get("payload") : null;
  if (action == "render_block") return render(payload);
  if (action == "process_data") return process(payload);
  return refuse("UnknownCommand", action);
}

function render(payload: Value | null): usize {
  const text = payload ? payload.get("text") : null;
  if (text == null || text.kind != Kind.Text) return refuse("InvalidPayload", "a block has a text");
  const html = "<p>" + text.text.replaceAll("&", "&amp;").replaceAll("<", "&lt;") + "</p>";
  return give(new Writer().open().key("html").text(html).key("created").number(created).close());
}

/** Keeps the text that it was given last, and tells of it. */
function process(payload: Value | null): usize {
  const words = new Writer().text(payload ? payload.text : "").toString();
  const kept = ask("kv.get", new Writer().open().key("key").text("last").close());
  if (isRefused(kept)) return refuse("Host", "kv.get");
  const value = kept!.get("ok")!.get("value");
  const before = value && value.kind == Kind.Text ? new Writer().text(textOf(fromBase64(value.text))).toString() : "null";
  const put = new Writer().open().key("key").text("last").key("value").text(toBase64(bytesOf(words))).close();
  if (isRefused(ask("kv.set", put))) return refuse("Host", "kv.set");
  const event = new Writer().open().key("topic").text("data.processed").key("payload").json(words).close();
  if (isRefused(ask("events.publish", event))) return refuse("Host", "events.publish");
  return give(new Writer().open().key("before").json(before).close());
}

/** What the host says: {ok} or {error}. */
function ask(method: string, payload: Writer): Value | null {
  const request = bytesOf(new Writer().open().key("method").text(method).key("payload").json(payload.toString()).close().toString());
  const block = host_call(request.dataStart, request.byteLength);
  return block == 0 ? null : Value.parse(textAt(block + 4, load<i32>(block)));
}

function isRefused(answer: Value | null): bool {
  return answer == null || answer.get("ok") == null;
}

function give(ok: Writer): usize {
  return pass(new Writer().open().key("ok").json(ok.toString()).close());
}

function refuse(code: string, message: string): usize {
  const error = new Writer().open().key("code").text(code).key("message").text(message).close();
  return pass(new Writer().open().key("error").json(error.toString()).close());
}

/** A block that is the host's from then on. */
function pass(answer: Writer): usize {
  const bytes = bytesOf(answer.toString());
  const block = heap.alloc(4 + bytes.byteLength);
  store<i32>(block, bytes.byteLength);
  memory.copy(block + 4, bytes.dataStart, bytes.byteLength);
  return block;
}

function textAt(address: usize, length: i32): string {
  return String.UTF8.decodeUnsafe(address, length);
}

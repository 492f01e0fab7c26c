// An extension of Spacedrive in AssemblyScript: a job that counts, stops where it is told to and goes on where it was, and one
// that asks the host for any operation, as ../spacedrive-finance does it in Rust.
import { Kind, Value, Writer, bytesOf } from "../../../sdk/assemblyscript/casemate";

@external("spacedrive", "spacedrive_call")
declare function spacedrive_call(method: usize, methodLength: i32, library: usize, payload: usize, length: i32): usize;
@external("spacedrive", "spacedrive_log")
declare function spacedrive_log(level: i32, line: usize, length: i32): void;
@external("spacedrive", "register_job")
declare function register_job(name: usize, nameLength: i32, run: usize, runLength: i32, resumable: i32): i32;
@external("spacedrive", "job_report_progress")
declare function job_report_progress(job: usize, progress: f32, message: usize, length: i32): void;
@external("spacedrive", "job_checkpoint")
declare function job_checkpoint(job: usize, state: usize, length: i32): i32;
@external("spacedrive", "job_check_interrupt")
declare function job_check_interrupt(job: usize): i32;
@external("spacedrive", "job_add_warning")
declare function job_add_warning(job: usize, warning: usize, length: i32): void;
@external("spacedrive", "job_increment_items")
declare function job_increment_items(job: usize, count: i64): void;

const DONE: i32 = 0;
const INTERRUPTED: i32 = 1;
const FAILED: i32 = 2;

/** Of a line in the log. */
const enum Level {
  Info = 1,
  Error = 3,
}

export function wasm_alloc(size: i32): usize {
  return heap.alloc(size);
}

export function wasm_free(address: usize, size: i32): void {
  heap.free(address);
}

export function plugin_init(): i32 {
  say(Level.Info, "counter is here");
  return register("count", "execute_count", true) + register("ask", "execute_ask", false);
}

export function plugin_cleanup(): i32 {
  return 0;
}

/** Counts from `at`, or 0, to `to`. */
export function execute_count(context: usize, contextLength: i32, state: usize, length: i32): i32 {
  const job = idOf(Value.parse(textAt(context, contextLength)), "job_id");
  const given = Value.parse(textAt(state, length));
  const to = numberOf(given, "to");
  let at = numberOf(given, "at");
  if (to == 0) {
    const warning = bytesOf("there is nothing to count");
    job_add_warning(job, warning.dataStart, warning.byteLength);
  }
  while (at < to) {
    if (job_check_interrupt(job) != 0) return keep(job, at, to) ? INTERRUPTED : FAILED;
    at += 1;
    job_increment_items(job, 1);
    if (!keep(job, at, to)) return FAILED;
    const message = bytesOf("counted to " + at.toString());
    job_report_progress(job, f32(at) / f32(to), message.dataStart, message.byteLength);
  }
  return DONE;
}

/** Asks for one operation, whichever the state says, and puts what comes of it into the log. */
export function execute_ask(context: usize, contextLength: i32, state: usize, length: i32): i32 {
  const library = idOf(Value.parse(textAt(context, contextLength)), "library_id");
  const given = Value.parse(textAt(state, length));
  const method = bytesOf(given ? given.textOf("method") : "");
  const payload = bytesOf(new Writer().text(given ? given.textOf("payload") : "").toString());
  const address = spacedrive_call(method.dataStart, method.byteLength, library, payload.dataStart, payload.byteLength);
  // Up to a zero; it is ours, and goes with the instance.
  let end = address;
  while (load<u8>(end) != 0) end += 1;
  const answer = textAt(address, i32(end - address));
  const value = Value.parse(answer);
  const refused = value != null && value.kind == Kind.Object && value.get("error") != null;
  say(refused ? Level.Error : Level.Info, answer);
  return refused ? FAILED : DONE;
}

/** Where asc sends what throws: the line is in the log, and the instance ends. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  say(Level.Error, (message ? message : "abort") + " (line " + line.toString() + ")");
  unreachable();
}

function keep(job: usize, at: i32, to: i32): bool {
  const state = bytesOf(new Writer().open().key("at").number(at).key("to").number(to).close().toString());
  return job_checkpoint(job, state.dataStart, state.byteLength) == 0;
}

function register(name: string, run: string, resumable: bool): i32 {
  const named = bytesOf(name);
  const runs = bytesOf(run);
  return register_job(named.dataStart, named.byteLength, runs.dataStart, runs.byteLength, i32(resumable));
}

function say(level: i32, line: string): void {
  const bytes = bytesOf(line);
  spacedrive_log(level, bytes.dataStart, bytes.byteLength);
}

function textAt(address: usize, length: i32): string {
  return String.UTF8.decodeUnsafe(address, length);
}

function numberOf(value: Value | null, name: string): i32 {
  const member = value ? value.get(name) : null;
  return member && member.kind == Kind.Number ? i32(member.number) : 0;
}

/** The sixteen bytes of a member that is written as people write them; 0 where there is none. */
function idOf(value: Value | null, name: string): usize {
  const text = value ? value.textOf(name).replaceAll("-", "") : "";
  if (text.length != 32) return 0;
  const address = heap.alloc(16);
  for (let i = 0; i < 16; i++) {
    store<u8>(address + i, u8(parseInt(text.substring(2 * i, 2 * i + 2), 16)));
  }
  return address;
}

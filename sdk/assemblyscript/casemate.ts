// What a plugin for Casemate in AssemblyScript needs: the guest ABI casemate-1, and JSON.
//
//     import { Reply, Value, Writer, plugin } from "../sdk/assemblyscript/casemate";
//     export * from "../sdk/assemblyscript/exports";
//
//     plugin("greeter", "Greeter", "0.1.0").method("greet", (input: Value): Reply => ...);
//
//     asc src/plugin.ts -O3 --runtime minimal --use abort=sdk/assemblyscript/casemate/abort -o greeter.wasm
//
// SPDX-License-Identifier: Apache-2.0

// ---- replies -----------------------------------------------------------------------------------------------------------

/** What a method, or the host, answers. */
export class Reply {
  constructor(public isError: bool, public isJson: bool, public body: Uint8Array) {}

  /** JSON, as text. */
  static json(text: string): Reply {
    return new Reply(false, true, bytesOf(text));
  }

  /** Bytes. */
  static raw(body: Uint8Array): Reply {
    return new Reply(false, false, body);
  }

  /** An error: a short name for programs, and words for people. */
  static error(code: string, message: string, retryable: bool = false): Reply {
    const out = new Writer();
    out.open().key("code").text(code).key("message").text(message).key("retryable").bool(retryable).close();
    return new Reply(true, true, bytesOf(out.toString()));
  }

  /** Its body as text. */
  text(): string {
    return textOf(this.body);
  }

  /** Its body as JSON; nothing where it is none. */
  value(): Value | null {
    return this.isJson ? Value.parse(this.text()) : null;
  }
}

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

export function textOf(bytes: Uint8Array): string {
  return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.byteLength);
}

// ---- the plugin --------------------------------------------------------------------------------------------------------

class Method {
  constructor(
    public name: string,
    public json: ((input: Value) => Reply) | null,
    public raw: ((body: Uint8Array) => Reply) | null,
  ) {}
}

/** What the plugin is and has. There is one in a module. */
export class Plugin {
  methods: Array<Method> = [];
  onInit: ((configuration: Value) => Reply) | null = null;
  onEvent: ((topic: string, body: Value) => bool) | null = null;

  constructor(public id: string, public name: string, public version: string) {}

  /** A method on JSON. */
  method(name: string, call: (input: Value) => Reply): this {
    this.methods.push(new Method(name, call, null));
    return this;
  }

  /** A method on bytes. */
  raw(name: string, call: (body: Uint8Array) => Reply): this {
    this.methods.push(new Method(name, null, call));
    return this;
  }

  /** Runs once, with the configuration; null where the host gives none. An error refuses it. */
  init(start: (configuration: Value) => Reply): this {
    this.onInit = start;
    return this;
  }

  /** Takes events, of the topics that the manifest's subscriptions name; false: it failed. */
  event(take: (topic: string, body: Value) => bool): this {
    this.onEvent = take;
    return this;
  }
}

let current: Plugin = new Plugin("", "", "");

/** Says what the module is. */
export function plugin(id: string, name: string, version: string): Plugin {
  current = new Plugin(id, name, version);
  return current;
}

// ---- the host ----------------------------------------------------------------------------------------------------------

@external("casemate", "host_call")
declare function import_host_call(request: usize, length: usize): u64;
@external("casemate", "log")
declare function import_log(level: i32, line: usize, length: usize): void;
@external("casemate", "cancelled")
declare function import_cancelled(): i32;

export enum Level {
  Trace = 0,
  Debug = 1,
  Info = 2,
  Warn = 3,
  Error = 4,
}

/** A line in the host's log. */
export function log(level: Level, line: string): void {
  const bytes = bytesOf(line);
  import_log(level, bytes.dataStart, bytes.byteLength);
}

/** Whether the running call is over its deadline. */
export function cancelled(): bool {
  return import_cancelled() != 0;
}

/** A function of the host's, with JSON. */
export function hostCall(method: string, json: string): Reply {
  return ask(method, true, bytesOf(json));
}

/** A function of the host's, with bytes. */
export function hostCallRaw(method: string, body: Uint8Array): Reply {
  return ask(method, false, body);
}

/** An event for whoever has subscribed to its topic. */
export function publish(topic: string, json: string): Reply {
  return ask("events.publish", false, joined(topic, true, bytesOf(json)));
}

function joined(name: string, isJson: bool, body: Uint8Array): Uint8Array {
  const nameBytes = bytesOf(name);
  const length = nameBytes.byteLength;
  const request = new Uint8Array(3 + length + body.byteLength);
  request[0] = u8(length & 255);
  request[1] = u8(length >> 8);
  request.set(nameBytes, 2);
  request[2 + length] = isJson ? 1 : 0;
  request.set(body, 3 + length);
  return request;
}

function ask(method: string, isJson: bool, body: Uint8Array): Reply {
  const request = joined(method, isJson, body);
  const packed = import_host_call(request.dataStart, request.byteLength);
  const length = usize(packed >> 32);
  const block = usize(packed & 0xffffffff);
  if (length < 2) return Reply.error("bad_reply", "the host's reply is cut off");
  const answer = copied(block + 2, length - 2);
  const reply = new Reply(load<u8>(block) != 0, load<u8>(block, 1) != 0, answer);
  heap.free(block);
  return reply;
}

function copied(from: usize, length: usize): Uint8Array {
  const bytes = new Uint8Array(i32(length));
  memory.copy(bytes.dataStart, from, length);
  return bytes;
}

/** What the host keeps for this plugin. */
export class Kept {
  constructor(public error: Reply | null, public value: Uint8Array | null) {}
}

export namespace kv {
  /** The value of a key; null where there is none. `error` where the host refused. */
  export function get(key: string): Kept {
    const reply = hostCall("kv.get", new Writer().open().key("key").text(key).close().toString());
    if (reply.isError) return new Kept(reply, null);
    const answer = reply.value();
    const value = answer ? answer.get("value") : null;
    return new Kept(null, value && value.kind == Kind.Text ? fromBase64(value.text) : null);
  }

  export function set(key: string, value: Uint8Array): Reply {
    const out = new Writer().open().key("key").text(key).key("value").text(toBase64(value)).close();
    return hostCall("kv.set", out.toString());
  }

  export function remove(key: string): Reply {
    return hostCall("kv.delete", new Writer().open().key("key").text(key).close().toString());
  }

  /** `{"keys": [..], "more": bool}`: those that begin with `prefix` and come after `after`, which may be empty. */
  export function list(prefix: string, after: string, limit: u32): Reply {
    const out = new Writer().open().key("prefix").text(prefix).key("after");
    if (after.length > 0) out.text(after);
    else out.json("null");
    return hostCall("kv.list", out.key("limit").json(limit.toString()).close().toString());
  }
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    let three = u32(bytes[i]) << 16;
    if (i + 1 < bytes.length) three |= u32(bytes[i + 1]) << 8;
    if (i + 2 < bytes.length) three |= u32(bytes[i + 2]);
    text += LETTERS.charAt(three >> 18) + LETTERS.charAt((three >> 12) & 63);
    text += i + 1 < bytes.length ? LETTERS.charAt((three >> 6) & 63) : "=";
    text += i + 2 < bytes.length ? LETTERS.charAt(three & 63) : "=";
  }
  return text;
}

export function fromBase64(text: string): Uint8Array {
  const bytes = new Array<u8>();
  let bits: u32 = 0;
  let held = 0;
  for (let i = 0; i < text.length && text.charAt(i) != "="; i++) {
    bits = (bits << 6) | u32(LETTERS.indexOf(text.charAt(i)));
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes.push(u8((bits >> held) & 255));
    }
  }
  const all = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) all[i] = bytes[i];
  return all;
}

// ---- JSON --------------------------------------------------------------------------------------------------------------

export enum Kind {
  Null,
  False,
  True,
  Number,
  Text,
  Array,
  Object,
}

const DEPTH_MAX: i32 = 128;

/** A JSON value. */
export class Value {
  number: f64 = 0;
  text: string = "";
  /** Elements of an array, or values of an object's members. */
  items: Array<Value> = [];
  /** Names of an object's members. */
  names: Array<string> = [];

  constructor(public kind: Kind) {}

  /** The member of this name, or nothing. */
  get(name: string): Value | null {
    const at = this.names.lastIndexOf(name);
    return at >= 0 ? this.items[at] : null;
  }

  /** The text of a member; empty where there is none. */
  textOf(name: string): string {
    const member = this.get(name);
    return member && member.kind == Kind.Text ? member.text : "";
  }

  /** A value of JSON text; nothing where it is none. */
  static parse(json: string): Value | null {
    const reader = new Reader(json);
    const value = reader.value(0);
    reader.skip();
    return reader.at == json.length ? value : null;
  }
}

class Reader {
  at: i32 = 0;

  constructor(private json: string) {}

  private here(): i32 {
    return this.at < this.json.length ? this.json.charCodeAt(this.at) : -1;
  }

  skip(): void {
    let c = this.here();
    while (c == 0x20 || c == 0x0a || c == 0x0d || c == 0x09) {
      this.at++;
      c = this.here();
    }
  }

  private word(word: string, kind: Kind): Value | null {
    if (!this.json.startsWith(word, this.at)) return null;
    this.at += word.length;
    return new Value(kind);
  }

  value(depth: i32): Value | null {
    this.skip();
    if (depth > DEPTH_MAX) return null;
    const c = this.here();
    if (c == 0x22) {
      const value = new Value(Kind.Text);
      const text = this.string();
      if (text == null) return null;
      value.text = text;
      return value;
    }
    if (c == 0x74) return this.word("true", Kind.True);
    if (c == 0x66) return this.word("false", Kind.False);
    if (c == 0x6e) return this.word("null", Kind.Null);
    if (c == 0x5b) return this.list(Kind.Array, 0x5d, depth);
    if (c == 0x7b) return this.list(Kind.Object, 0x7d, depth);
    return this.number();
  }

  private list(kind: Kind, close: i32, depth: i32): Value | null {
    const value = new Value(kind);
    this.at++;
    this.skip();
    if (this.here() == close) {
      this.at++;
      return value;
    }
    while (true) {
      if (kind == Kind.Object) {
        this.skip();
        if (this.here() != 0x22) return null;
        const name = this.string();
        if (name == null) return null;
        this.skip();
        if (this.here() != 0x3a) return null;
        this.at++;
        value.names.push(name);
      }
      const item = this.value(depth + 1);
      if (item == null) return null;
      value.items.push(item);
      this.skip();
      const c = this.here();
      this.at++;
      if (c == close) return value;
      if (c != 0x2c) return null;
    }
  }

  private string(): string | null {
    this.at++;
    let text = "";
    let from = this.at;
    while (true) {
      const c = this.here();
      if (c < 0x20) return null;
      if (c == 0x22) {
        text += this.json.substring(from, this.at);
        this.at++;
        return text;
      }
      this.at++;
      if (c != 0x5c) continue;
      text += this.json.substring(from, this.at - 1);
      const escape = this.here();
      this.at++;
      if (escape == 0x75) {
        if (this.at + 4 > this.json.length) return null;
        const code = I32.parseInt(this.json.substr(this.at, 4), 16);
        text += String.fromCharCode(code);
        this.at += 4;
      } else {
        const found = '"\\/bfnrt'.indexOf(String.fromCharCode(escape));
        if (escape < 0 || found < 0) return null;
        text += '"\\/\b\f\n\r\t'.charAt(found);
      }
      from = this.at;
    }
  }

  private number(): Value | null {
    const from = this.at;
    let c = this.here();
    let digits = 0;
    while ((c >= 0x30 && c <= 0x39) || c == 0x2d || c == 0x2b || c == 0x2e || c == 0x65 || c == 0x45) {
      if (c >= 0x30 && c <= 0x39) digits++;
      this.at++;
      c = this.here();
    }
    if (digits == 0) return null;
    const value = new Value(Kind.Number);
    value.number = numberOf(this.json.substring(from, this.at));
    return isFinite(value.number) ? value : null;
  }
}

/** The double nearest to a number as JSON writes it. */
function numberOf(text: string): f64 {
  const digits = new Array<u8>();
  let point = 0;
  let isAfter = false;
  let isCut = false;
  let i = 0;
  for (; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c == 0x65 || c == 0x45) break;
    if (c == 0x2e) isAfter = true;
    if (c < 0x30 || c > 0x39) continue;
    if (!isAfter) point++;
    if (digits.length < DIGITS_MAX) digits.push(u8(c - 0x30));
    else if (c != 0x30) isCut = true;
  }
  // Digits that were cut only matter as "more than half".
  if (isCut) digits.push(1);
  let exponent = 0;
  const isDown = text.charCodeAt(i + 1) == 0x2d;
  for (i++; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c >= 0x30 && c <= 0x39 && exponent < 100000) exponent = exponent * 10 + (c - 0x30);
  }
  const number = nearest(digits, digits.length, point + (isDown ? -exponent : exponent));
  return text.charCodeAt(0) == 0x2d ? -number : number;
}

/** JSON as it is written: `new Writer().open().key("a").number(1).close().toString()`. */
export class Writer {
  private parts: Array<string> = [];
  private first: bool = true;

  /** Begins an object. */
  open(): this {
    this.comma();
    this.parts.push("{");
    this.first = true;
    return this;
  }

  /** Ends it. */
  close(): this {
    this.parts.push("}");
    this.first = false;
    return this;
  }

  /** Begins an array. */
  openArray(): this {
    this.comma();
    this.parts.push("[");
    this.first = true;
    return this;
  }

  /** Ends it. */
  closeArray(): this {
    this.parts.push("]");
    this.first = false;
    return this;
  }

  /** A member's name; its value comes next. */
  key(name: string): this {
    this.comma();
    this.parts.push(quoted(name) + ":");
    this.first = true;
    return this;
  }

  text(text: string): this {
    return this.json(quoted(text));
  }

  number(number: f64): this {
    if (!isFinite(number)) return this.json("null");
    return this.json(shortest(number));
  }

  bool(flag: bool): this {
    return this.json(flag ? "true" : "false");
  }

  /** JSON that is written already. */
  json(text: string): this {
    this.comma();
    this.parts.push(text);
    return this;
  }

  toString(): string {
    return this.parts.join("");
  }

  private comma(): void {
    if (!this.first) this.parts.push(",");
    this.first = false;
  }
}

function quoted(text: string): string {
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c == 0x22 || c == 0x5c) out += "\\" + String.fromCharCode(c);
    else if (c == 0x0a) out += "\\n";
    else if (c < 0x20) out += "\\u00" + (c < 16 ? "0" : "") + c.toString(16);
    else out += String.fromCharCode(c);
  }
  return out + '"';
}

// ---- numbers: exact, by whole numbers of any length ----------------------------------------------------------------------

/** Beyond these, digits only say whether there are more. */
const DIGITS_MAX: i32 = 800;

/** A whole number, its least word first, and no zeros at its end. */
class Big {
  words: Array<u32> = [];

  constructor(number: u64) {
    if (number) this.words.push(u32(number));
    if (number >> 32) this.words.push(u32(number >> 32));
  }

  /** Times a factor, and one more number. */
  times(factor: u32, add: u32 = 0): void {
    let carry: u64 = add;
    for (let i = 0; i < this.words.length; i++) {
      carry += u64(this.words[i]) * u64(factor);
      this.words[i] = u32(carry);
      carry >>= 32;
    }
    if (carry) this.words.push(u32(carry));
  }

  power(base: u32, times: i32): void {
    for (let i = 0; i < times; i++) this.times(base);
  }

  double(bits: i32): void {
    for (; bits >= 31; bits -= 31) this.times(1 << 31);
    if (bits > 0) this.times(1 << bits);
  }

  halve(): void {
    let carry: u32 = 0;
    for (let i = this.words.length - 1; i >= 0; i--) {
      const word = this.words[i];
      this.words[i] = (word >> 1) | (carry << 31);
      carry = word & 1;
    }
    this.trim();
  }

  less(other: Big): void {
    let borrow: i64 = 0;
    for (let i = 0; i < this.words.length; i++) {
      const word = i64(this.words[i]) - (i < other.words.length ? i64(other.words[i]) : 0) + borrow;
      this.words[i] = u32(word);
      borrow = word < 0 ? -1 : 0;
    }
    this.trim();
  }

  compare(other: Big): i32 {
    if (this.words.length != other.words.length) return this.words.length < other.words.length ? -1 : 1;
    for (let i = this.words.length - 1; i >= 0; i--) {
      if (this.words[i] != other.words[i]) return this.words[i] < other.words[i] ? -1 : 1;
    }
    return 0;
  }

  bits(): i32 {
    const length = this.words.length;
    return length == 0 ? 0 : 32 * length - i32(clz<u32>(this.words[length - 1]));
  }

  isZero(): bool {
    return this.words.length == 0;
  }

  private trim(): void {
    while (this.words.length > 0 && this.words[this.words.length - 1] == 0) this.words.pop();
  }
}

/** The double nearest to 0.d1d2d3… times 10^point, halves to even. */
function nearest(digits: Array<u8>, count: i32, point: i32): f64 {
  let from = 0;
  while (from < count && digits[from] == 0) {
    from++;
    point--;
  }
  while (count > from && digits[count - 1] == 0) count--;
  if (count == from || point < -330) return 0;
  if (point > 310) return Infinity;
  const top = new Big(0);
  const bottom = new Big(1);
  for (let i = from; i < count; i++) top.times(10, digits[i]);
  const ten = point - (count - from);
  if (ten >= 0) top.power(10, ten);
  else bottom.power(10, -ten);
  // Scaled so that the quotient has 53 or 54 bits, or those that a subnormal has.
  let shift = min(53 - (top.bits() - bottom.bits()), 1074);
  if (shift > 0) top.double(shift);
  else bottom.double(-shift);
  let quotient: u64 = 0;
  bottom.double(55);
  for (let bit = 55; bit >= 0; bit--) {
    quotient <<= 1;
    if (top.compare(bottom) >= 0) {
      top.less(bottom);
      quotient |= 1;
    }
    if (bit > 0) bottom.halve();
  }
  // What is left decides about rounding; of 54 bits the last one does too.
  let isUp: bool;
  if (quotient >> 53) {
    const isHalf = (quotient & 1) != 0;
    quotient >>= 1;
    shift--;
    isUp = isHalf && (!top.isZero() || (quotient & 1) != 0);
  } else {
    top.double(1);
    const order = top.compare(bottom);
    isUp = order > 0 || (order == 0 && (quotient & 1) != 0);
  }
  if (isUp) quotient++;
  if (quotient >> 53) {
    quotient >>= 1;
    shift--;
  }
  if (!(quotient >> 52)) return reinterpret<f64>(quotient);
  const biased = 1075 - shift;
  if (biased >= 2047) return Infinity;
  return reinterpret<f64>((u64(biased) << 52) | (quotient & 0xfffffffffffff));
}

/** The fewest digits that read back the same, as JavaScript writes them. */
function shortest(number: f64): string {
  if (number == 0) return "0";
  const sign = number < 0 ? "-" : "";
  number = abs(number);
  const bits = reinterpret<u64>(number);
  const biased = max(i32(bits >> 52), 1);
  const two = biased - 1075;
  const top = new Big((bits & 0xfffffffffffff) | (bits >> 52 ? u64(1) << 52 : 0));
  const bottom = new Big(1);
  if (two >= 0) top.double(two);
  else bottom.double(-two);
  let point = 0;
  for (; top.compare(bottom) >= 0; point++) bottom.times(10);
  for (top.times(10); top.compare(bottom) < 0; point--) top.times(10);
  const digits = new Array<u8>();
  for (let i = 0; i < 18; i++) {
    let digit: u8 = 0;
    while (top.compare(bottom) >= 0) {
      top.less(bottom);
      digit++;
    }
    digits.push(digit);
    top.times(10);
  }
  for (let count = 1; count <= 17; count++) {
    // Above a power of two there is twice the room: what is not nearest may still read back.
    for (let isUp = 0; isUp < 2; isUp++) {
      const rounded = digits.slice(0, count);
      const at = point + round(rounded, digits, isUp > 0 || !isBelowHalf(digits, count, top.isZero()));
      if (nearest(rounded, count, at) == number) return sign + laidOut(rounded, at);
    }
  }
  return sign + laidOut(digits, point);
}

/** Whether what follows so many digits is less than half of the last one, or just half and that one even. */
function isBelowHalf(digits: Array<u8>, count: i32, isWhole: bool): bool {
  if (digits[count] != 5) return digits[count] < 5;
  for (let i = count + 1; i < digits.length; i++) if (digits[i]) return false;
  return isWhole && !(digits[count - 1] & 1);
}

/** Rounds up where that is wanted; 1 where it moved the point. */
function round(rounded: Array<u8>, digits: Array<u8>, isUp: bool): i32 {
  for (let i = rounded.length - 1; isUp && i >= 0; i--) {
    rounded[i] = digits[i] + 1;
    isUp = rounded[i] == 10;
    if (isUp) rounded[i] = 0;
  }
  if (isUp) rounded[0] = 1;
  return isUp ? 1 : 0;
}

function laidOut(digits: Array<u8>, at: i32): string {
  let count = digits.length;
  while (count > 1 && digits[count - 1] == 0) count--;
  const isPlain = at > -6 && at <= 21;
  let out = isPlain && at <= 0 ? "0." + "0".repeat(-at) : "";
  for (let i = 0; i < count || (isPlain && i < at); i++) {
    if (i > 0 && i == (isPlain ? at : 1)) out += ".";
    out += i < count ? String.fromCharCode(0x30 + digits[i]) : "0";
  }
  return isPlain ? out : out + (at > 0 ? "e+" : "e") + (at - 1).toString();
}

// ---- the boundary: what exports.ts exports -------------------------------------------------------------------------------

/** Where asc sends what throws: the line is in the log, and the instance ends. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const where = file ? file : "?";
  log(Level.Error, (message ? message : "abort") + " (" + where + ":" + line.toString() + ":" + column.toString() + ")");
  unreachable();
}

function handOver(reply: Reply): u64 {
  const length = usize(reply.body.byteLength + 2);
  const block = heap.alloc(length);
  store<u8>(block, u8(reply.isError));
  store<u8>(block, u8(reply.isJson), 1);
  memory.copy(block + 2, reply.body.dataStart, length - 2);
  return (u64(length) << 32) | u64(block);
}

/** A request or an event: the length of its name, its name, its content type, its body. */
class Request {
  name: string = "";
  isJson: bool = false;
  body: Uint8Array = new Uint8Array(0);
  isWhole: bool = false;

  constructor(block: usize, length: usize) {
    const nameLength = length < 3 ? length : usize(load<u16>(block));
    if (nameLength + 3 <= length) {
      this.name = String.UTF8.decodeUnsafe(block + 2, nameLength);
      this.isJson = load<u8>(block + 2 + nameLength) == 1;
      this.body = copied(block + 3 + nameLength, length - 3 - nameLength);
      this.isWhole = true;
    }
  }

  value(): Value | null {
    return this.isJson ? Value.parse(textOf(this.body)) : null;
  }
}

function dispatch(request: Request): Reply {
  if (!request.isWhole) return Reply.error("bad_request", "the request is cut off");
  for (let i = 0; i < current.methods.length; i++) {
    const method = current.methods[i];
    if (method.name != request.name) continue;
    const raw = method.raw;
    if (raw) return raw(request.body);
    const input = request.value();
    const json = method.json;
    if (input == null || json == null) return Reply.error("bad_input", "its input is JSON, and this is none");
    return json(input);
  }
  const known = current.methods.map<string>((method) => "`" + method.name + "`").join(", ");
  const message = "plugin `" + current.id + "` has no method `" + request.name + "`; it has " + known;
  return Reply.error("unknown_method", message);
}

export function casemate_abi(): i32 {
  return 1;
}

export function casemate_alloc(size: usize, align: usize): usize {
  return heap.alloc(size > 0 ? size : 1);
}

export function casemate_free(block: usize, size: usize, align: usize): void {
  if (block) heap.free(block);
}

export function casemate_describe(): u64 {
  const out = new Writer().open();
  out.key("id").text(current.id).key("name").text(current.name).key("version").text(current.version);
  out.key("methods").openArray();
  for (let i = 0; i < current.methods.length; i++) {
    const method = current.methods[i];
    out.open().key("name").text(method.name).key("content").text(method.raw ? "raw" : "json").close();
  }
  return handOver(Reply.json(out.closeArray().close().toString()));
}

export function casemate_init(block: usize, length: usize): u64 {
  const text = length > 0 ? String.UTF8.decodeUnsafe(block, length) : "null";
  heap.free(block);
  const value = Value.parse(text);
  if (value == null) return handOver(Reply.error("bad_config", "the configuration is no JSON"));
  const start = current.onInit;
  return handOver(start ? start(value) : Reply.json("null"));
}

export function casemate_call(block: usize, length: usize): u64 {
  // Nothing of an earlier call is on the stack here.
  __collect();
  const request = new Request(block, length);
  heap.free(block);
  return handOver(dispatch(request));
}

export function casemate_event(block: usize, length: usize): i32 {
  __collect();
  const event = new Request(block, length);
  heap.free(block);
  const take = current.onEvent;
  const value = event.value();
  return take && take(event.name, value ? value : new Value(Kind.Null)) ? 0 : 1;
}

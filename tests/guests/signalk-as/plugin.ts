// A plugin of Signal K in AssemblyScript: counts what it hears, says what it was told, and uses what its host offers once.
//
// asc plugin.ts --runtime minimal --exportRuntime -O3 -o signalk_as.wasm

import * as host from "./host";

let config = "";
let deltas = 0;
let polls = 0;
let last = "";

export function plugin_id(): string {
  return "greeter";
}

export function plugin_name(): string {
  return "Greeter ⚓ 𝄞";
}

export function plugin_schema(): string {
  return '{"type":"object","properties":{"name":{"type":"string"}}}';
}

// The configuration is UTF-8 as it stands, and no string.
export function plugin_start(address: usize, length: usize): i32 {
  config = String.UTF8.decodeUnsafe(address, length);
  if (config.includes('"refuse"')) return 9;
  host.debug("started with " + config);
  host.setStatus("grüßt");
  host.registerPutHandler("vessels.self", "greeting.name");
  host.registerWeatherProvider("greeter");
  console.log("a line of AssemblyScript's own: ü");
  return 0;
}

export function plugin_stop(): i32 {
  host.setStatus("stopped");
  return 0;
}

export function poll(): i32 {
  polls++;
  return 0;
}

export function delta_handler(delta: string): void {
  deltas++;
  last = delta;
  if (delta.includes('"abort"')) throw new Error("told to: ü");
  host.handleMessage('{"updates":[{"values":[{"path":"greeting.heard","value":' + deltas.toString() + "}]}]}");
}

export function http_endpoints(): string {
  return '[{"method":"GET","path":"/api/status","handler":"http_status"},{"method":"POST","path":"/api/text","handler":"http_text"},{"method":"POST","path":"/api/echo","handler":"http_echo"}]';
}

function reply(body: string): string {
  return '{"statusCode":200,"headers":{"Content-Type":"application/json"},"body":' + body + "}";
}

export function http_status(address: usize, length: usize): string {
  const position = host.selfPath("navigation.position");
  return reply(
    '{"config":' + config + ',"deltas":' + deltas.toString() + ',"polls":' + polls.toString()
      + ',"last":' + (last == "" ? "null" : last)
      + ',"position":' + (position == "" ? "null" : position)
      + ',"network":' + host.hasCapability("network").toString()
      + ',"socket":' + host.createSocket().toString()
      + ',"fetched":' + host.isFetched("http://example.com/").toString() + "}",
  );
}

// A handler as the documents have it: UTF-8, and how many bytes.
export function http_echo(address: usize, length: usize): string {
  return reply(String.UTF8.decodeUnsafe(address, length));
}

// A handler as the server really calls it: a string, and its length.
export function http_text(request: string, length: i32): string {
  return reply('{"same":' + (request.length == length).toString() + ',"request":' + request + "}");
}

export function handle_put_vessels_self_greeting_name(request: string): string {
  return '{"state":"COMPLETED","statusCode":200,"request":' + request + "}";
}

export function weather_get_observations(request: string): string {
  return '[{"temperature":{"air":288.15},"asked":' + request + "}]";
}

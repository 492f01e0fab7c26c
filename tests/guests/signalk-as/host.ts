// What a plugin of Signal K imports, with AssemblyScript's strings as the UTF-8 that its host wants.

@external("env", "sk_debug")
declare function sk_debug(text: usize, length: usize): void;
@external("env", "sk_set_status")
declare function sk_set_status(text: usize, length: usize): void;
@external("env", "sk_handle_message")
declare function sk_handle_message(delta: usize, length: usize, version: i32): void;
@external("env", "sk_get_self_path")
declare function sk_get_self_path(path: usize, length: usize, room: usize, most: usize): i32;
@external("env", "sk_has_capability")
declare function sk_has_capability(name: usize, length: usize): i32;
@external("env", "sk_register_put_handler")
declare function sk_register_put_handler(context: usize, contextLength: usize, path: usize, length: usize): i32;
@external("env", "sk_register_weather_provider")
declare function sk_register_weather_provider(name: usize, length: usize): i32;
@external("env", "sk_tcp_create")
declare function sk_tcp_create(): i32;
@external("as-fetch", "_fetchGETSync")
declare function fetchGETSync(url: string, mode: i32, headers: usize): usize;

export function debug(text: string): void {
  const bytes = String.UTF8.encode(text);
  sk_debug(changetype<usize>(bytes), bytes.byteLength);
}

export function setStatus(text: string): void {
  const bytes = String.UTF8.encode(text);
  sk_set_status(changetype<usize>(bytes), bytes.byteLength);
}

export function handleMessage(delta: string): void {
  const bytes = String.UTF8.encode(delta);
  sk_handle_message(changetype<usize>(bytes), bytes.byteLength, 2);
}

// The value of a path as JSON; "" where there is none.
export function selfPath(path: string): string {
  const name = String.UTF8.encode(path);
  const room = new ArrayBuffer(1024);
  const length = sk_get_self_path(changetype<usize>(name), name.byteLength, changetype<usize>(room), room.byteLength);
  return length > 0 ? String.UTF8.decodeUnsafe(changetype<usize>(room), length) : "";
}

export function hasCapability(name: string): bool {
  const bytes = String.UTF8.encode(name);
  return sk_has_capability(changetype<usize>(bytes), bytes.byteLength) == 1;
}

export function registerPutHandler(context: string, path: string): bool {
  const one = String.UTF8.encode(context);
  const other = String.UTF8.encode(path);
  return sk_register_put_handler(changetype<usize>(one), one.byteLength, changetype<usize>(other), other.byteLength) == 1;
}

export function registerWeatherProvider(name: string): bool {
  const bytes = String.UTF8.encode(name);
  return sk_register_weather_provider(changetype<usize>(bytes), bytes.byteLength) == 1;
}

export function createSocket(): i32 {
  return sk_tcp_create();
}

// Whether there is an answer.
export function isFetched(url: string): bool {
  return fetchGETSync(url, 0, 0) != 0;
}

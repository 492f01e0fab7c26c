// What a plugin for Casemate in JavaScript or TypeScript needs, over the world of plugin.wit.
//
//     import { plugin, PluginError } from "../sdk/plugin-js/casemate.js";
//
//     export const guest = plugin({
//         id: "greeter", name: "Greeter", version: "0.1.0",
//         methods: { greet: ({ name }) => ({ greeting: `Hello, ${name}!` }) },
//     });
//
// SPDX-License-Identifier: Apache-2.0
import host from "casemate:plugin/host@0.1.0";

/** What a method answers instead of a value, and what a host call can fail with. */
export class PluginError extends Error {
    constructor(code, message, retryable = false) {
        super(message);
        this.code = code;
        this.retryable = retryable;
    }
}

/** The world's guest, of a plugin's parts. */
export function plugin({ id, name, version, methods = {}, raw = {}, init, event }) {
    const rows = [
        ...Object.keys(methods).map((method) => ({ name: method, content: "json" })),
        ...Object.keys(raw).map((method) => ({ name: method, content: "raw" })),
    ];
    return {
        init(configuration) {
            answered(() => init?.(configuration.data.length ? parsed(configuration, "configuration") : null));
        },
        describe() {
            return json({ id, name, version, methods: rows });
        },
        call(method, request) {
            if (Object.hasOwn(raw, method)) return answered(() => ({ content: "bytes", data: raw[method](request.data) }));
            if (Object.hasOwn(methods, method)) {
                return answered(() => json(methods[method](parsed(request, `method \`${method}\``))));
            }
            const known = rows.map((row) => `\`${row.name}\``).join(", ");
            return answered(() => {
                throw new PluginError("unknown_method", `plugin \`${id}\` has no method \`${method}\`; it has ${known}`);
            });
        },
        event(topic, body) {
            answered(() => {
                if (!event) throw new PluginError("no_event", "it takes no events");
                event(topic, body.content === "json" ? parsed(body, `event \`${topic}\``) : body.data);
            });
        },
    };
}

/** A function of the host's, with JSON both ways. */
export function hostCall(method, input = null) {
    return parsed(asked(method, json(input)), `host call \`${method}\``);
}

/** A function of the host's, with bytes both ways. */
export function hostCallRaw(method, data) {
    return asked(method, { content: "bytes", data }).data;
}

/** An event for whoever has subscribed to its topic. */
export function publish(topic, value) {
    const [name, body] = [utf8(topic), utf8(JSON.stringify(value))];
    const data = new Uint8Array(3 + name.length + body.length);
    data.set([name.length & 255, name.length >> 8]);
    data.set(name, 2);
    data[2 + name.length] = 1;
    data.set(body, 3 + name.length);
    asked("events.publish", { content: "bytes", data });
}

/** Lines for the host's log. */
export const log = {
    trace: (line) => host.log("trace", String(line)),
    debug: (line) => host.log("debug", String(line)),
    info: (line) => host.log("info", String(line)),
    warn: (line) => host.log("warn", String(line)),
    error: (line) => host.log("error", String(line)),
};

/** Whether the running call is over its deadline. */
export function cancelled() {
    return host.cancelled();
}

/** What the host keeps for this plugin: bytes by their keys. */
export const kv = {
    get(key) {
        const { value } = hostCall("kv.get", { key });
        return value === null ? null : fromBase64(value);
    },
    set(key, value) {
        hostCall("kv.set", { key, value: toBase64(typeof value === "string" ? utf8(value) : value) });
    },
    delete(key) {
        return hostCall("kv.delete", { key }).deleted;
    },
    list({ prefix = "", after = null, limit = 100 } = {}) {
        return hostCall("kv.list", { prefix, after, limit });
    },
};

function asked(method, request) {
    try {
        return host.call(method, request);
    } catch (thrown) {
        const body = thrown?.payload ?? thrown;
        const { code, message, retryable } = parsed(body, `the error of host call \`${method}\``);
        throw new PluginError(code, message, retryable);
    }
}

/** What a function answers; what it throws as the world has errors. */
function answered(call) {
    try {
        return call();
    } catch (thrown) {
        const code = thrown instanceof PluginError ? thrown.code : "failed";
        const message = String(thrown?.message ?? thrown);
        throw json({ code, message, retryable: thrown?.retryable ?? false });
    }
}

function json(value) {
    return { content: "json", data: utf8(JSON.stringify(value === undefined ? null : value)) };
}

function parsed(body, what) {
    if (body.content !== "json") throw new PluginError("bad_input", `${what}: this is bytes, not JSON`);
    try {
        return JSON.parse(text(body.data));
    } catch (error) {
        throw new PluginError("bad_input", `${what}: ${error.message}`);
    }
}

/** A text's bytes; the engine has no TextEncoder. */
export function utf8(text) {
    const bytes = [];
    for (const letter of text) {
        const code = letter.codePointAt(0);
        // Half a letter is none.
        const c = code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
        if (c < 0x80) bytes.push(c);
        else if (c < 0x800) bytes.push(0xc0 | (c >> 6), 0x80 | (c & 63));
        else if (c < 0x10000) bytes.push(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
        else bytes.push(0xf0 | (c >> 18), 0x80 | ((c >> 12) & 63), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
    }
    return new Uint8Array(bytes);
}

/** The text of bytes in UTF-8. */
export function text(bytes) {
    let out = "";
    for (let i = 0; i < bytes.length; ) {
        const first = bytes[i++];
        const more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        let code = more === 0 ? first : first & (0x3f >> more);
        for (let j = 0; j < more; j++) code = (code << 6) | (bytes[i++] & 63);
        out += String.fromCodePoint(code);
    }
    return out;
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function toBase64(bytes) {
    let out = "";
    for (let i = 0; i < bytes.length; i += 3) {
        const three = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
        out += LETTERS[three >> 18] + LETTERS[(three >> 12) & 63];
        out += (i + 1 < bytes.length ? LETTERS[(three >> 6) & 63] : "=") + (i + 2 < bytes.length ? LETTERS[three & 63] : "=");
    }
    return out;
}

function fromBase64(text) {
    const bytes = [];
    let [bits, held] = [0, 0];
    for (const letter of text.replaceAll("=", "")) {
        bits = ((bits << 6) | LETTERS.indexOf(letter)) & 0xfff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes.push((bits >> held) & 255);
        }
    }
    return new Uint8Array(bytes);
}

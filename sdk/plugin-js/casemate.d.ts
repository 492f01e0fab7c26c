// SPDX-License-Identifier: Apache-2.0

/** JSON. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** What a method answers instead of a value, and what a host call can fail with. */
export class PluginError extends Error {
    constructor(code: string, message: string, retryable?: boolean);
    /** For programs: a short name in snake_case. */
    readonly code: string;
    /** Whether the same call may succeed later. */
    readonly retryable: boolean;
}

/** What a plugin is and has. */
export interface Parts {
    id: string;
    name: string;
    version: string;
    /** Methods on JSON. */
    methods?: { [name: string]: (input: any) => unknown };
    /** Methods on bytes. */
    raw?: { [name: string]: (body: Uint8Array) => Uint8Array };
    /** Runs once, before everything else, with the configuration: null without one. What it throws refuses it. */
    init?: (configuration: any) => void;
    /** Takes events of the topics that the manifest's subscriptions name. */
    event?: (topic: string, body: any) => void;
}

interface Body {
    content: "bytes" | "json";
    data: Uint8Array;
}

/** What the module exports as `guest`. */
export interface Guest {
    init(configuration: Body): void;
    describe(): Body;
    call(method: string, request: Body): Body;
    event(topic: string, event: Body): void;
}

/** The world's guest, of a plugin's parts. */
export function plugin(parts: Parts): Guest;

/** A function of the host's, with JSON both ways. */
export function hostCall<Out = unknown>(method: string, input?: unknown): Out;

/** A function of the host's, with bytes both ways. */
export function hostCallRaw(method: string, data: Uint8Array): Uint8Array;

/** An event for whoever has subscribed to its topic. */
export function publish(topic: string, value: unknown): void;

/** Lines for the host's log. */
export const log: { [level in "trace" | "debug" | "info" | "warn" | "error"]: (line: unknown) => void };

/** Whether the running call is over its deadline. */
export function cancelled(): boolean;

/** What the host keeps for this plugin: bytes by their keys. */
export const kv: {
    /** The value of a key; null where there is none. */
    get(key: string): Uint8Array | null;
    set(key: string, value: Uint8Array | string): void;
    /** Whether there was one. */
    delete(key: string): boolean;
    list(which?: { prefix?: string; after?: string | null; limit?: number }): { keys: string[]; more: boolean };
};

/** A text's bytes. */
export function utf8(text: string): Uint8Array;

/** The text of bytes in UTF-8. */
export function text(bytes: Uint8Array): string;

// The types that a node of Pocket in TypeScript is written with, as the project's design has them; and what runs one.

export type JSONSchema = Record<string, unknown>;

export interface Example {
  name: string;
  config: Record<string, unknown>;
  input: unknown;
  output: unknown;
}

export interface NodeMetadata {
  type: string;
  category: string;
  description: string;
  configSchema: JSONSchema;
  examples?: Example[];
}

export abstract class PluginNode {
  abstract exec(input: any): Promise<any>;

  // Optional lifecycle methods
  prep?(input: any): Promise<any>;
  post?(input: any, result: any): Promise<{ output: any; next: string }>;

  // Metadata
  abstract getMetadata(): NodeMetadata;
}

interface Request {
  function: string;
  config?: unknown;
  input?: unknown;
  prepResult?: unknown;
  execResult?: unknown;
}

interface Response {
  success: boolean;
  error?: string;
  output?: unknown;
  next?: string;
}

/** What Javy gives to scripts. */
declare const Javy: { IO: { readSync(stream: number, into: Uint8Array): number; writeSync(stream: number, from: Uint8Array): number } };
declare const console: { error(line: string): void };
declare class TextEncoder { encode(text: string): Uint8Array }
declare class TextDecoder { decode(bytes: Uint8Array): string }

/** Answers the one request on standard input; without one, says what the node is. */
export function run(node: PluginNode): void {
  // A promise that is refused and nobody hears of would be silence.
  respond(node).catch((error) => console.error(String(error)));
}

async function respond(node: PluginNode): Promise<void> {
  const text = read();
  write(text === '' ? node.getMetadata() : await answer(node, text));
}

async function answer(node: PluginNode, text: string): Promise<Response> {
  try {
    const request: Request = JSON.parse(text);
    switch (request.function) {
      case 'prep':
        return { success: true, output: node.prep ? await node.prep(request.input) : request.input };
      case 'exec':
        return { success: true, output: await node.exec(request.prepResult ?? request.input) };
      case 'post':
        if (!node.post) return { success: true, output: request.execResult, next: 'done' };
        return { success: true, ...(await node.post(request.input, request.execResult)) };
      default:
        return { success: false, error: `Unknown function: ${request.function}` };
    }
  } catch (error) {
    return { success: false, error: String(error) };
  }
}

function read(): string {
  let all = new Uint8Array(0);
  const piece = new Uint8Array(16384);
  for (;;) {
    const length = Javy.IO.readSync(0, piece);
    if (length === 0) return new TextDecoder().decode(all);
    const longer = new Uint8Array(all.length + length);
    longer.set(all);
    longer.set(piece.subarray(0, length), all.length);
    all = longer;
  }
}

function write(value: unknown): void {
  let bytes = new TextEncoder().encode(JSON.stringify(value));
  while (bytes.length > 0) bytes = bytes.subarray(Javy.IO.writeSync(1, bytes));
}

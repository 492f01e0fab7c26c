// Greets.
import { PluginError, log, plugin } from "../sdk/plugin-js/casemate.js";

interface Somebody {
    name: string;
}

function greet({ name }: Somebody): { greeting: string } {
    if (!name) throw new PluginError("no_name", "there is nobody to greet");
    log.info(`greeting ${name}`);
    return { greeting: `Hello, ${name}!` };
}

export const guest = plugin({
    id: "{{name}}",
    name: "{{name}}",
    version: "0.1.0",
    methods: { greet },
});

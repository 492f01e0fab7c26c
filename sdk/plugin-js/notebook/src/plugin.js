// Keeps pages in the host: configuration, host calls, kv, events, log and raw bytes in one plugin.
// @ts-check
import { PluginError, hostCall, kv, log, plugin, publish, text } from "../../casemate.js";

let owner = "nobody";
let heard = 0;

export const guest = plugin({
    id: "notebook",
    name: "Notebook",
    version: "0.1.0",
    init(configuration) {
        if (configuration === null) return;
        if (!configuration.owner) throw new PluginError("no_owner", "somebody must own it");
        owner = configuration.owner;
    },
    methods: {
        write({ page, text }) {
            kv.set(page, text);
            publish("notes.written", { page });
            log.info(`wrote ${page}`);
            return { owner, page };
        },
        read({ page }) {
            const kept = kv.get(page);
            return { text: kept && text(kept) };
        },
        erase: ({ page }) => ({ erased: kv.delete(page) }),
        pages: () => ({ pages: kv.list().keys }),
        now: () => ({ now: hostCall("clock.now") }),
        heard: () => ({ heard }),
    },
    raw: {
        reverse: (body) => body.reverse(),
    },
    event(topic) {
        log.info(`heard ${topic}`);
        heard++;
    },
});

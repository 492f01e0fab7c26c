// Keeps pages in the host: configuration, host calls, kv, events, log and raw bytes in one plugin.
import { Kind, Level, Reply, Value, Writer, bytesOf, hostCall, kv, log, plugin, publish, textOf } from "../../casemate";
export * from "../../exports";

let owner = "nobody";
let heard = 0;

plugin("notebook", "Notebook", "0.1.0")
  .init((configuration: Value): Reply => {
    if (configuration.kind == Kind.Object) owner = configuration.textOf("owner");
    return owner.length ? Reply.json("null") : Reply.error("no_owner", "somebody must own it");
  })
  .method("write", (input: Value): Reply => {
    const page = input.textOf("page");
    const kept = kv.set(page, bytesOf(input.textOf("text")));
    if (kept.isError) return kept;
    const told = publish("notes.written", new Writer().open().key("page").text(page).close().toString());
    if (told.isError) return told;
    log(Level.Info, "wrote " + page);
    return Reply.json(new Writer().open().key("owner").text(owner).key("page").text(page).close().toString());
  })
  .method("read", (input: Value): Reply => {
    const kept = kv.get(input.textOf("page"));
    const error = kept.error;
    if (error) return error;
    const value = kept.value;
    const out = new Writer().open().key("text");
    return Reply.json((value ? out.text(textOf(value)) : out.json("null")).close().toString());
  })
  .method("erase", (input: Value): Reply => {
    const answer = kv.remove(input.textOf("page"));
    if (answer.isError) return answer;
    const value = answer.value();
    const deleted = value ? value.get("deleted") : null;
    const isErased = deleted != null && deleted.kind == Kind.True;
    return Reply.json(new Writer().open().key("erased").bool(isErased).close().toString());
  })
  .method("pages", (input: Value): Reply => {
    const answer = kv.list("", "", 100);
    if (answer.isError) return answer;
    const value = answer.value();
    const keys = value ? value.get("keys") : null;
    const out = new Writer().open().key("pages").openArray();
    if (keys) for (let i = 0; i < keys.items.length; i++) out.text(keys.items[i].text);
    return Reply.json(out.closeArray().close().toString());
  })
  .method("now", (input: Value): Reply => {
    const answer = hostCall("clock.now", "null");
    return answer.isError ? answer : Reply.json(new Writer().open().key("now").json(answer.text()).close().toString());
  })
  .method("heard", (input: Value): Reply => Reply.json(new Writer().open().key("heard").number(heard).close().toString()))
  .raw("reverse", (body: Uint8Array): Reply => Reply.raw(body.reverse()))
  .event((topic: string, body: Value): bool => {
    log(Level.Info, "heard " + topic);
    heard++;
    return true;
  });

// Greets.
import { Level, Reply, Value, Writer, log, plugin } from "../sdk/assemblyscript/casemate";
export * from "../sdk/assemblyscript/exports";

plugin("{{name}}", "{{name}}", "0.1.0").method("greet", (input: Value): Reply => {
  const name = input.textOf("name");
  if (name.length == 0) return Reply.error("no_name", "there is nobody to greet");
  log(Level.Info, "greeting " + name);
  return Reply.json(new Writer().open().key("greeting").text("Hello, " + name + "!").close().toString());
});

// Sum, average, minimum and maximum of an array of numbers.
import { Kind, Reply, Value, Writer, plugin } from "../../casemate";
export * from "../../exports";

plugin("statistics", "Statistics", "0.1.0").method("stats", (input: Value): Reply => {
  const numbers = input.get("numbers");
  if (numbers == null || numbers.kind != Kind.Array) return Reply.error("bad_input", "numbers is an array of numbers");
  if (numbers.items.length == 0) return Reply.error("empty_input", "Input array is empty");
  let sum: f64 = 0;
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0; i < numbers.items.length; i++) {
    const item = numbers.items[i];
    if (item.kind != Kind.Number) return Reply.error("bad_input", "numbers is an array of numbers");
    sum += item.number;
    min = Math.min(min, item.number);
    max = Math.max(max, item.number);
  }
  const out = new Writer().open().key("sum").number(sum).key("average").number(sum / f64(numbers.items.length));
  return Reply.json(out.key("min").number(min).key("max").number(max).close().toString());
});

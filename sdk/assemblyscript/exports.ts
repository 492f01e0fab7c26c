// What the host calls. A plugin's entry file has `export * from` this.
export {
  casemate_abi,
  casemate_alloc,
  casemate_call,
  casemate_describe,
  casemate_event,
  casemate_free,
  casemate_init,
} from "./casemate";

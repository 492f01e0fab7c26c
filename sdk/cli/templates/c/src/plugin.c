/* Greets. */
#include "casemate.h"

static cm_reply greet(cm_value *input) {
    cm_bytes name = cm_text_of(cm_get(input, "name"));
    if (name.length == 0) return cm_error("no_name", "there is nobody to greet");
    cm_log(CM_INFO, name);

    cm_writer greeting = CM_ZERO;
    cm_put(&greeting, "Hello, ");
    cm_put_bytes(&greeting, name);
    cm_put(&greeting, "!");

    cm_writer out = CM_ZERO;
    cm_put(&out, "{\"greeting\":");
    cm_put_text(&out, cm_written(&greeting));
    cm_put(&out, "}");
    return cm_json(cm_written(&out));
}

CM_PLUGIN("{{name}}", "{{name}}", "0.1.0",
    CM_METHOD("greet", greet))

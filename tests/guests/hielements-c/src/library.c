/* The example of Hielements' design, in C: the answers of ../hielements, which is the design's own, in Rust.
 *
 * Two results are two results here: clang makes them with -mmultivalue and the ABI that goes with it. */
#define CM_PARTS_ONLY
#include "casemate.h"

typedef struct {
    const char *data;
    size_t length;
} result;

typedef struct {
    cm_bytes function;
    cm_bytes path;
    /* Why it is none, or nothing. */
    const char *wrong;
} request;

/* No free is defined: what the host asked for here stays. */
CM_EXPORT("alloc") void *library_alloc(size_t size) { return cm_keep(size); }

static request read_request(const char *json, size_t length) {
    cm_value *value = cm_parse((cm_bytes){json, length});
    request read = {{0, 0}, {"", 0}, 0};
    if (!value) return read.wrong = "it is not JSON", read;
    cm_value *function = cm_get(value, "function"), *args = cm_get(value, "args"), *workspace = cm_get(value, "workspace");
    if (!function || function->kind != CM_TEXT) return read.wrong = "function is a text", read;
    if (!args || args->kind != CM_ARRAY) return read.wrong = "args is an array", read;
    if (!workspace || workspace->kind != CM_TEXT) return read.wrong = "workspace is a text", read;
    read.function = cm_text_of(function);
    if (args->first && args->first->kind == CM_TEXT) read.path = cm_text_of(args->first);
    return read;
}

/* {"TAG": "TEXT"}, the text in parts. */
static result tagged(const char *tag, cm_bytes before, cm_bytes after) {
    cm_writer text = CM_ZERO, out = CM_ZERO;
    cm_put_bytes(&text, before);
    cm_put_bytes(&text, after);
    cm_put(&out, "{\"");
    cm_put(&out, tag);
    cm_put(&out, "\":");
    cm_put_text(&out, cm_written(&text));
    cm_put(&out, "}");
    return (result){out.data, out.length};
}

static result error(const char *words, cm_bytes what) { return tagged("Error", cm_of(words), what); }

static result module_selector(cm_bytes path) {
    cm_writer out = CM_ZERO;
    cm_put(&out, "{\"Scope\":{\"kind\":");
    cm_put_text(&out, path);
    cm_put(&out, ",\"paths\":[],\"resolved\":true}}");
    return (result){out.data, out.length};
}

static result is_module(cm_bytes path) {
    if (!path.length || path.data[path.length - 1] != '/') return tagged("Fail", path, cm_of(" is not a folder"));
    cm_bytes pass = cm_of("{\"Pass\":null}");
    return (result){pass.data, pass.length};
}

static result answer(const char *json, size_t length, const char *name, result (*work)(cm_bytes path)) {
    /* What the call before left, its result with it. */
    cm_pass();
    request read = read_request(json, length);
    if (read.wrong) return error("Failed to parse request: ", cm_of(read.wrong));
    return cm_is(read.function, name) ? work(read.path) : error("Unknown function: ", read.function);
}

CM_EXPORT("library_call") result library_call(const char *json, size_t length) {
    return answer(json, length, "module_selector", module_selector);
}

CM_EXPORT("library_check") result library_check(const char *json, size_t length) {
    return answer(json, length, "is_module", is_module);
}

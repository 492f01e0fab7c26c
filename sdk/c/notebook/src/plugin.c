/* Keeps pages in the host: configuration, host calls, kv, events, log and raw bytes in one plugin. */
#include "casemate.h"

static cm_bytes owner = {"nobody", 6};
static unsigned heard;

static cm_reply init(cm_value *configuration) {
    if (configuration->kind == CM_OBJECT) {
        cm_bytes name = cm_text_of(cm_get(configuration, "owner"));
        if (name.length == 0) return cm_error("no_owner", "somebody must own it");
        /* The configuration goes when this returns. */
        owner.data = memcpy(cm_keep(name.length), name.data, name.length);
        owner.length = name.length;
    }
    return cm_json(cm_of("null"));
}

static void log_with(const char *word, cm_bytes name) {
    cm_writer line = CM_ZERO;
    cm_put(&line, word);
    cm_put_bytes(&line, name);
    cm_log(CM_INFO, cm_written(&line));
}

static cm_reply write(cm_value *input) {
    cm_bytes page = cm_text_of(cm_get(input, "page"));
    cm_reply kept = cm_kv_set(page, cm_text_of(cm_get(input, "text")));
    if (kept.is_error) return kept;
    cm_writer event = CM_ZERO;
    cm_put(&event, "{\"page\":");
    cm_put_text(&event, page);
    cm_put(&event, "}");
    cm_reply told = cm_publish("notes.written", cm_written(&event));
    if (told.is_error) return told;
    log_with("wrote ", page);
    cm_writer out = CM_ZERO;
    cm_put(&out, "{\"owner\":");
    cm_put_text(&out, owner);
    cm_put(&out, ",\"page\":");
    cm_put_text(&out, page);
    cm_put(&out, "}");
    return cm_json(cm_written(&out));
}

static cm_reply read(cm_value *input) {
    cm_kept kept = cm_kv_get(cm_text_of(cm_get(input, "page")));
    if (kept.error.is_error) return kept.error;
    cm_writer out = CM_ZERO;
    cm_put(&out, "{\"text\":");
    if (kept.found) cm_put_text(&out, kept.value);
    else cm_put(&out, "null");
    cm_put(&out, "}");
    return cm_json(cm_written(&out));
}

/* {"NAME": the member of the host's answer}, or its error. */
static cm_reply passed_on(cm_reply answer, const char *name, const char *member) {
    if (answer.is_error) return answer;
    cm_value *value = cm_parse(answer.body);
    if (member) value = cm_get(value, member);
    cm_writer out = CM_ZERO;
    cm_put(&out, "{\"");
    cm_put(&out, name);
    cm_put(&out, "\":");
    if (value && value->kind == CM_TEXT) {
        cm_put_text(&out, value->text);
    } else if (value && value->kind == CM_ARRAY) {
        cm_put(&out, "[");
        for (cm_value *item = value->first; item; item = item->next) {
            cm_put_text(&out, cm_text_of(item));
            if (item->next) cm_put(&out, ",");
        }
        cm_put(&out, "]");
    } else {
        cm_put(&out, value && value->kind == CM_TRUE ? "true" : "false");
    }
    cm_put(&out, "}");
    return cm_json(cm_written(&out));
}

static cm_reply erase(cm_value *input) {
    return passed_on(cm_kv_delete(cm_text_of(cm_get(input, "page"))), "erased", "deleted");
}

static cm_reply pages(cm_value *input) {
    (void)input;
    return passed_on(cm_kv_list(cm_of(""), cm_of(""), 100), "pages", "keys");
}

static cm_reply now(cm_value *input) {
    (void)input;
    return passed_on(cm_host_call("clock.now", cm_of("null")), "now", 0);
}

static cm_reply count(cm_value *input) {
    (void)input;
    cm_writer out = CM_ZERO;
    cm_put(&out, "{\"heard\":");
    cm_put_number(&out, heard);
    cm_put(&out, "}");
    return cm_json(cm_written(&out));
}

static cm_reply reverse(cm_bytes body) {
    char *data = cm_alloc(body.length);
    for (size_t i = 0; i < body.length; i++) data[i] = body.data[body.length - 1 - i];
    cm_bytes reversed = {data, body.length};
    return cm_raw(reversed);
}

static int hear(cm_bytes topic, cm_value *body) {
    (void)body;
    log_with("heard ", topic);
    heard++;
    return 0;
}

CM_PLUGIN("notebook", "Notebook", "0.1.0",
    CM_METHOD("write", write),
    CM_METHOD("read", read),
    CM_METHOD("erase", erase),
    CM_METHOD("pages", pages),
    CM_METHOD("now", now),
    CM_METHOD("heard", count),
    CM_RAW_METHOD("reverse", reverse))
CM_INIT(init)
CM_EVENT(hear)

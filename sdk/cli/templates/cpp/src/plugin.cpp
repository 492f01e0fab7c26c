// Greets.
#include "casemate.h"

namespace {

// Text that is written piece by piece.
class Text {
public:
    Text &operator<<(const char *text) { return cm_put(&out_, text), *this; }
    Text &operator<<(cm_bytes bytes) { return cm_put_bytes(&out_, bytes), *this; }
    Text &quoted(cm_bytes text) { return cm_put_text(&out_, text), *this; }
    cm_bytes written() const { return cm_written(&out_); }

private:
    cm_writer out_ = CM_ZERO;
};

cm_reply greet(cm_value *input) {
    cm_bytes name = cm_text_of(cm_get(input, "name"));
    if (name.length == 0) return cm_error("no_name", "there is nobody to greet");
    cm_log(CM_INFO, name);

    Text greeting;
    greeting << "Hello, " << name << "!";
    Text answer;
    answer << "{\"greeting\":";
    answer.quoted(greeting.written()) << "}";
    return cm_json(answer.written());
}

}  // namespace

CM_PLUGIN("{{name}}", "{{name}}", "0.1.0",
    CM_METHOD("greet", greet))

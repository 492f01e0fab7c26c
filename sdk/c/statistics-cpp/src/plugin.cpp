// Sum, average, minimum and maximum of an array of numbers.
#include "casemate.h"

namespace {

struct Statistics {
    double sum = 0, min = 0, max = 0;
    size_t count = 0;

    void take(double number) {
        min = count == 0 || number < min ? number : min;
        max = count == 0 || number > max ? number : max;
        sum += number;
        count++;
    }

    cm_bytes json() const {
        cm_writer out = CM_ZERO;
        const struct { const char *name; double value; } members[] = {
            {"{\"sum\":", sum}, {",\"average\":", sum / static_cast<double>(count)}, {",\"min\":", min}, {",\"max\":", max}};
        for (const auto &member : members) {
            cm_put(&out, member.name);
            cm_put_number(&out, member.value);
        }
        cm_put(&out, "}");
        return cm_written(&out);
    }
};

cm_reply stats(cm_value *input) {
    const cm_value *numbers = cm_get(input, "numbers");
    if (!numbers || numbers->kind != CM_ARRAY) return cm_error("bad_input", "numbers is an array of numbers");
    Statistics statistics;
    for (const cm_value *item = numbers->first; item; item = item->next) {
        if (item->kind != CM_NUMBER) return cm_error("bad_input", "numbers is an array of numbers");
        statistics.take(item->number);
    }
    if (statistics.count == 0) return cm_error("empty_input", "Input array is empty");
    return cm_json(statistics.json());
}

}  // namespace

CM_PLUGIN("statistics", "Statistics", "0.1.0",
    CM_METHOD("stats", stats))

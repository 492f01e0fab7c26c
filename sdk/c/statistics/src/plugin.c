/* Sum, average, minimum and maximum of an array of numbers. */
#include "casemate.h"

static cm_reply stats(cm_value *input) {
    cm_value *numbers = cm_get(input, "numbers");
    if (!numbers || numbers->kind != CM_ARRAY) return cm_error("bad_input", "numbers is an array of numbers");
    if (numbers->count == 0) return cm_error("empty_input", "Input array is empty");
    double sum = 0, min = numbers->first->number, max = min;
    for (cm_value *item = numbers->first; item; item = item->next) {
        if (item->kind != CM_NUMBER) return cm_error("bad_input", "numbers is an array of numbers");
        sum += item->number;
        if (item->number < min) min = item->number;
        if (item->number > max) max = item->number;
    }
    cm_writer out = CM_ZERO;
    cm_put(&out, "{\"sum\":");
    cm_put_number(&out, sum);
    cm_put(&out, ",\"average\":");
    cm_put_number(&out, sum / (double)numbers->count);
    cm_put(&out, ",\"min\":");
    cm_put_number(&out, min);
    cm_put(&out, ",\"max\":");
    cm_put_number(&out, max);
    cm_put(&out, "}");
    return cm_json(cm_written(&out));
}

CM_PLUGIN("statistics", "Statistics", "0.1.0",
    CM_METHOD("stats", stats))

/* Is a value better than another? After keras/src/callbacks/monitor_callback.py. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "runtime/runtime.h"
#include "train/callback.h"
#include "train/record.h"
#include "words/metric_config.h"

enum { AUTO, MIN, MAX };
const char *const monitor_modes[] = {"auto", "min", "max", NULL};

static bool ends_with(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcmp(name + n - m, ending) == 0;
}

/* What Keras says of a metric with its own name, or that and a number: precision_1. */
static metric_direction direction_of(const char *name)
{
    char word[OPTION_TEXT_SIZE];
    text_copy(word, sizeof word, strncmp(name, "val_", 4) == 0 ? name + 4 : name);
    char *number = strrchr(word, '_');
    if (number != NULL && number[1] != '\0' && strspn(number + 1, "0123456789") == strlen(number + 1))
        *number = '\0';
    const metric_class *class = metric_class_find(word);
    return class != NULL ? class->direction : METRIC_EITHER;
}

convoy_status monitor_check(monitor *m, const char *who, convoy_error *err)
{
    metric_direction direction = direction_of(m->name);
    bool up = ends_with(m->name, "accuracy") || direction == METRIC_UP;
    bool down = ends_with(m->name, "loss") || direction == METRIC_DOWN;
    if (m->mode == AUTO && !up && !down)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: monitor='%s': is more better, or less? Say mode=max or mode=min",
                         who, m->name);
    m->greater = m->mode == MAX || (m->mode == AUTO && up);
    m->delta = m->greater ? fabs(m->min_delta) : -fabs(m->min_delta);
    return CONVOY_OK;
}

const double *monitor_value(monitor *m, const char *who, callback_run *run, const callback_logs *logs)
{
    char names[512];
    const double *value = callback_logs_find(logs, m->name);
    if (value == NULL && !m->warned)
        rt_message(run->ctx, "%s watches '%s', which there is not; there are %s%s", who, m->name,
                   callback_logs_names(logs, names, sizeof names),
                   strncmp(m->name, "val_", 4) == 0 ? ". Values that begin with val_ need validation data" : "");
    m->warned = m->warned || value == NULL;
    return value;
}

int monitor_keep(const monitor *m, bool has_best, double best, json_t *out)
{
    int failed = json_object_set_new(out, "monitor", json_string(m->name));
    failed |= json_object_set_new(out, "mode", json_string(m->greater ? "max" : "min"));
    return failed | (has_best ? json_object_set_new(out, "best", record_number(best)) : 0);
}

bool monitor_resume(const monitor *m, const char *who, callback_run *run, const json_t *kept, bool *has_best, double *best)
{
    const char *name = json_string_value(json_object_get(kept, "monitor"));
    const char *mode = json_string_value(json_object_get(kept, "mode"));
    const json_t *value = json_object_get(kept, "best");
    if (name == NULL || mode == NULL || strcmp(name, m->name) != 0 || strcmp(mode, m->greater ? "max" : "min") != 0) {
        rt_message(run->ctx, "%s watches '%s' (mode %s) now, and not '%s' (mode %s) as before: it begins afresh", who, m->name,
                   m->greater ? "max" : "min", name != NULL ? name : "", mode != NULL ? mode : "");
        return false;
    }
    *has_best = *has_best || value != NULL;
    *best = value != NULL ? record_number_value(value) : *best;
    return true;
}

/* Keras compares in float32. */
bool monitor_is_better(const monitor *m, double value, double than)
{
    float now = (float)(value - m->delta);
    return m->greater ? now > (float)than : now < (float)than;
}

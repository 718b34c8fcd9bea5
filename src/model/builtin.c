/* The models that ship with the library: data/models, embedded at build time. */
#include <stdio.h>
#include <string.h>

#include "layers/option.h"
#include "model/build.h"

convoy_status builtin_model(const char *name, convoy_model **out, convoy_error *err)
{
    const char *text = builtin_model_text(name);
    if (text != NULL)
        return convoy_model_from_json(text, strlen(text), out, err);
    char list[512] = "", hint[128];
    size_t used = 0;
    for (const char *const *n = builtin_model_names(); *n != NULL && used < sizeof list; n++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", *n);
    return base_fail(err, CONVOY_ERROR_FILE, "'%s': no such file, and no built-in model of that name; %sbuilt in: %s",
                     name, option_suggest(name, list, hint, sizeof hint), list);
}

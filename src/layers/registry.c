/* The list of layers: layers.def says which, this file finds them. */
#include <stdio.h>
#include <string.h>

#include "layers/layer.h"

#define LAYER(symbol) extern const layer_class symbol##_class;
#include "layers/layers.def"
#undef LAYER

#define LAYER(symbol) &symbol##_class,
static const layer_class *const classes[] = {
#include "layers/layers.def"
};
#undef LAYER

const layer_class *layer_class_at(size_t i)
{
    return i < sizeof classes / sizeof classes[0] ? classes[i] : NULL;
}

const layer_class *layer_class_find(const char *name)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strcmp(classes[i]->name, name) == 0)
            return classes[i];
    return NULL;
}

void layer_class_names(char *out, size_t size)
{
    size_t used = 0;
    if (size > 0)
        out[0] = '\0';
    for (size_t i = 0; i < sizeof classes / sizeof classes[0] && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", classes[i]->name);
}

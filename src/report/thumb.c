#include "report/thumb.h"

#include <math.h>
#include <stdlib.h>

#include "base/shape.h"
#include "data/data.h"
#include "data/image.h"

/* Of prepared values the least of all images is black, the greatest white. */
static uint8_t shade(const convoy_dataset *data, size_t i)
{
    float value = dataset_value(data, i), least = data->prepared ? data->least : 0, most = data->prepared ? data->most : 255;
    return most > least ? (uint8_t)lrintf(255 * ((value - least) / (most - least))) : 0;
}

convoy_status thumb_make(const convoy_dataset *data, size_t index, int most, thumb *out, convoy_error *err)
{
    convoy_shape shape = convoy_dataset_shape(data);
    int height = shape.dim[0], width = shape.dim[1], channels = shape.dim[2], kept = channels == 3 ? 3 : 1;
    image whole = {0};
    convoy_status status;
    size_t from = index * shape_count(&shape);
    *out = (thumb){.width = width, .height = height, .channels = kept};
    TRY(image_allocate(&whole, (uint64_t)height, (uint64_t)width, kept, err));
    for (size_t i = 0; i < (size_t)height * (size_t)width; i++)
        for (int c = 0; c < kept; c++)
            whole.pixels[i * (size_t)kept + (size_t)c] = shade(data, from + i * (size_t)channels + (size_t)c);
    int longest = width > height ? width : height;
    if (longest > most) {
        out->width = width * most / longest > 0 ? width * most / longest : 1;
        out->height = height * most / longest > 0 ? height * most / longest : 1;
    }
    out->pixels = malloc((size_t)out->width * (size_t)out->height * (size_t)kept);
    if (out->pixels == NULL)
        TRY_GOTO(OUT_OF_MEMORY(err));
    TRY_GOTO(image_resize(&whole, out->height, out->width, out->pixels, err));
done:
    image_free(&whole);
    if (status != CONVOY_OK)
        thumb_free(out);
    return status;
}

void thumb_free(thumb *t)
{
    free(t->pixels);
    *t = (thumb){0};
}

/* Images in an .npz file. Files do not say what their values are, so it is guessed, once for all that a file holds. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/npz_values.h"

/* Floats of pixels that are all darker than this are rather floats that somebody has scaled. */
#define DARKEST 16.0

/* The images of one part. */
typedef struct range {
    const char *name;
    bool there, whole; /* whole: integers, whose type says so */
    double least, most;
} range;

static bool is_bytes(const npy *array) { return array->kind == 'u' && array->bytes == 1; }

static convoy_status widen(void *user, const npy *piece, size_t first, size_t count, convoy_error *err)
{
    range *r = user;
    for (size_t i = 0; i < count; i++) {
        double value = npy_value(piece, i);
        if (!isfinite((float)value))
            return base_fail(err, CONVOY_ERROR_FORMAT, "%s: value %zu is %g; numbers that float32 holds are expected", r->name,
                             first + i, value);
        r->least = value < r->least ? value : r->least;
        r->most = value > r->most ? value : r->most;
    }
    return CONVOY_OK;
}

/* Of bytes it is known. */
static convoy_status find_range(zip_archive *archive, const char *name, range *out, convoy_error *err)
{
    npz_values v = {0};
    *out = (range){.name = name, .there = true, .least = INFINITY, .most = -INFINITY};
    convoy_status status = npz_values_open(archive, name, &v, err);
    out->whole = status == CONVOY_OK && (v.array.kind == 'u' || v.array.kind == 'i');
    if (status == CONVOY_OK && is_bytes(&v.array)) {
        out->least = 0;
        out->most = 255;
    } else if (status == CONVOY_OK) {
        status = npz_values_visit(&v, widen, out, err);
    }
    npz_values_close(&v);
    return status;
}

static bool are_pixels(const range *r) { return r->least >= 0 && r->most <= 255 && (r->whole || r->most > DARKEST); }

/* Two parts that look scaled differently are taken for the same all the same, but not in silence. */
static convoy_status compare(const range *a, const range *b, const range *both, const convoy_dataset_options *o, convoy_error *err)
{
    char text[400];
    const range *whole = a->whole ? a : b, *floats = a->whole ? b : a;
    if (are_pixels(a) == are_pixels(b))
        return CONVOY_OK;
    if (a->whole != b->whole && are_pixels(whole))
        return base_fail(err, CONVOY_ERROR_FORMAT,
                         "%s holds integers of 0 to 255, but %s floats from %g to %g: they are scaled differently; save both alike",
                         whole->name, floats->name, floats->least, floats->most);
    snprintf(text, sizeof text, "%s holds %g to %g, but %s %g to %g: are they scaled differently? All are taken for %s", a->name,
             a->least, a->most, b->name, b->least, b->most,
             are_pixels(both) ? "pixels of 0 to 255" : "values that go to a model as they are");
    if (o->on_message != NULL)
        o->on_message(o->user, text);
    return CONVOY_OK;
}

convoy_status npz_guess_images(zip_archive *archive, const char *name, const char *other, const convoy_dataset_options *options,
                               npz_guess *out, convoy_error *err)
{
    range a, b = {0};
    TRY(find_range(archive, name, &a, err));
    if (zip_archive_has(archive, other))
        TRY(find_range(archive, other, &b, err));
    range both = {.whole = a.whole || (b.there && b.whole), .least = a.least, .most = a.most};
    if (b.there) {
        both.least = fmin(a.least, b.least);
        both.most = fmax(a.most, b.most);
        TRY(strcmp(name, other) < 0 ? compare(&a, &b, &both, options, err) : compare(&b, &a, &both, options, err));
    }
    *out = (npz_guess){.floats = !a.whole || !are_pixels(&both), .prepared = !are_pixels(&both), both.least, both.most};
    return CONVOY_OK;
}

/* ---- reading ---- */

static convoy_status keep(void *user, const npy *piece, size_t first, size_t count, convoy_error *err)
{
    convoy_dataset *data = user;
    (void)err;
    float *floats = (float *)(void *)data->images;
    for (size_t i = 0; i < count; i++)
        if (data->floats)
            floats[first + i] = (float)npy_value(piece, i);
        else
            data->images[first + i] = (uint8_t)npy_value(piece, i);
    return CONVOY_OK;
}

convoy_status npz_read_images(npz_values *v, convoy_dataset *data, convoy_error *err)
{
    if (is_bytes(&v->array) && !data->floats)
        return npz_values_bytes(v, data->images, v->array.count, err);
    return npz_values_visit(v, keep, data, err);
}

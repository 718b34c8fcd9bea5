/* The ready models by name, with options in brackets. Their layers are in builtin_layers.c. */
#include "model/builtin.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "base/text.h"
#include "model/build.h"
#include "words/option.h"

#define AT(member) .offset = offsetof(builtin_options, member)

static const option option_rows[] = {
    {.name = "input_shape", .kind = OPTION_SHAPE, AT(input_shape), .standard = "null"},
    {.name = "classes", .kind = OPTION_INT, AT(classes), .standard = "10", .least = 1, .most = 1 << 20},
    {.name = "augment", .kind = OPTION_BOOL, AT(augment), .standard = "false"},
    {0},
};

/* ---- names ---- */

static const builtin_row *find(const char *name, size_t length)
{
    for (const builtin_row *row = builtin_rows; row->name != NULL; row++)
        if (strlen(row->name) == length && memcmp(row->name, name, length) == 0)
            return row;
    return NULL;
}

/* The rows end with one without a name. */
const char *convoy_builtin_name(size_t i)
{
    for (const builtin_row *row = builtin_rows; row->name != NULL; row++)
        if (i-- == 0)
            return row->name;
    return NULL;
}

bool builtin_has(const char *name) { return find(name, strlen(name)) != NULL; }

static convoy_status fail_name(const char *name, convoy_error *err)
{
    char list[512] = "", hint[128];
    size_t used = 0;
    for (const builtin_row *row = builtin_rows; row->name != NULL && used < sizeof list; row++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", row->name);
    return base_fail(err, CONVOY_ERROR_FILE, "'%s': no such file, and no built-in model of that name; %sbuilt in: %s",
                     name, suggest_word(name, list, hint, sizeof hint), list);
}

const char *builtin_that_fits(const convoy_model *model, const convoy_shape *images, int classes, char *out, size_t size)
{
    const int *d = images->dim;
    if (model->builtin == NULL || images->rank != 3)
        return NULL;
    snprintf(out, size, "%s(input_shape=(%d, %d, %d), classes=%d)", model->builtin, d[0], d[1], d[2], classes);
    return out;
}

/* ---- options ---- */

/* "(classes=100)" behind the name. */
static convoy_status read_options(const builtin_row *row, const char *brackets, builtin_options *out, convoy_error *err)
{
    json_t *config = NULL;
    char *inside = NULL;
    size_t length = strlen(brackets);
    text t = {0};
    if (length > 0 && (length < 2 || brackets[length - 1] != ')'))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "expected NAME or NAME(keyword=value, ...)");
    if (length > 0)
        text_add_bytes(&t, brackets + 1, length - 2);
    TRY(text_take(&t, &inside, err));
    convoy_status status = option_parse_text(inside, &config, err);
    free(inside);
    if (status == CONVOY_OK)
        status = options_read(option_rows, config, out, err);
    json_decref(config);
    TRY(option_blame_argument(status, err));
    if (out->input_shape.rank == 0)
        out->input_shape = row->input;
    if (out->input_shape.rank != 3)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "option 'input_shape' has %d numbers; (height, width, channels) is "
                         "expected", out->input_shape.rank);
    return CONVOY_OK;
}

/* ---- building ---- */

#define SHIFT 4.0 /* pixels */

/* Shifts by up to 4 pixels and, where it keeps the class, a mirror image: in training only. Zero padding and RandomCrop would be the
 * same to training, but RandomCrop makes the padded image smaller in inference. */
static convoy_status add_augmentation(convoy_model *model, const builtin_row *row, const convoy_shape *shape,
                                      convoy_error *err)
{
    char shift[128];
    snprintf(shift, sizeof shift, "height_factor=%.6g, width_factor=%.6g, fill_mode=constant, interpolation=nearest",
             fmin(SHIFT / shape->dim[0], 1.0), fmin(SHIFT / shape->dim[1], 1.0));
    TRY(convoy_model_add(model, "RandomTranslation", shift, err));
    return row->has_mirror ? convoy_model_add(model, "RandomFlip", "mode=horizontal", err) : CONVOY_OK;
}

static convoy_status build(convoy_model *model, const builtin_row *row, const builtin_options *options, convoy_error *err)
{
    char input[96];
    const int *d = options->input_shape.dim;
    model->builtin = row->name;
    snprintf(input, sizeof input, "shape=(%d, %d, %d)", d[0], d[1], d[2]);
    TRY(convoy_model_add(model, "InputLayer", input, err));
    if (options->augment)
        TRY(add_augmentation(model, row, &options->input_shape, err));
    return row->build(model, options, err);
}

convoy_status builtin_model(const char *name, convoy_model **out, convoy_error *err)
{
    convoy_model *model = NULL;
    builtin_options options = {0};
    size_t length = strcspn(name, "(");
    const builtin_row *row = find(name, length);
    if (row == NULL)
        return fail_name(name, err);
    convoy_status status = read_options(row, name + length, &options, err);
    if (status == CONVOY_OK)
        status = convoy_model_create(row->model_name, &model, err);
    if (status == CONVOY_OK)
        status = build(model, row, &options, err);
    if (status == CONVOY_OK) {
        *out = model;
        return CONVOY_OK;
    }
    convoy_model_destroy(model);
    return base_fail_in(err, status, "%s", name);
}

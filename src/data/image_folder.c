/* A folder of images: a folder a class, with parts of their own or split by chance. */
#include "data/image_folder.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/philox.h"
#include "data/image.h"
#include "data/image_cache.h"

#define DEFAULT_SPLIT 0.2
#define CACHE_MOST ((uint64_t)16 << 30)

/* ---- where the parts are ---- */

static const char *const train_names[] = {"train", NULL};
static const char *const test_names[] = {"test", "validation", "val", NULL};

/* A part's folder holds folders with images. A class may be called "train": its folder holds images. */
static bool find_part(const char *folder, const char *const *names, char out[PATH_MAX])
{
    for (; *names != NULL; names++)
        if (folder_join(out, folder, *names, NULL) == CONVOY_OK && file_is_folder(out) && image_classes_any(out))
            return true;
    return false;
}

bool image_folder_fits(const data_request *request)
{
    char path[PATH_MAX];
    return request->is_folder && (image_classes_any(request->path) || find_part(request->path, train_names, path));
}

/* ---- which images ---- */

typedef struct selection {
    image_job *jobs;
    size_t count;
} selection;

static void selection_free(selection *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->jobs[i].error);
    free(s->jobs);
}

static convoy_status allocate_jobs(selection *s, const image_classes *classes, convoy_error *err)
{
    size_t total = 1;
    for (size_t i = 0; i < classes->count; i++)
        total += classes->items[i].count;
    s->jobs = calloc(total, sizeof *s->jobs);
    return s->jobs ? CONVOY_OK : OUT_OF_MEMORY(err);
}

/* Both parts get at least one image where there are two. */
static size_t test_count(size_t count, double split)
{
    size_t n = (size_t)lrint((double)count * (split > 0 ? split : DEFAULT_SPLIT));
    if (count < 2)
        return 0;
    return n < 1 ? 1 : n > count - 1 ? count - 1 : n;
}

/* Of every class the first images in a random order are the test part. */
static convoy_status select_split(const data_request *request, const image_classes *classes, selection *s,
                                  convoy_error *err)
{
    for (size_t c = 0; c < classes->count; c++) {
        const image_class *class = &classes->items[c];
        int32_t *order = malloc((class->count + 1) * sizeof *order);
        bool *in_test = calloc(class->count + 1, sizeof *in_test);
        if (order == NULL || in_test == NULL) {
            free(order);
            free(in_test);
            return OUT_OF_MEMORY(err);
        }
        philox_permutation(request->options->seed, (uint32_t)c, order, class->count);
        for (size_t i = test_count(class->count, request->options->test_split); i > 0; i--)
            in_test[order[i - 1]] = true;
        for (size_t i = 0; i < class->count; i++)
            if (in_test[i] == request->test)
                s->jobs[s->count++] = (image_job){.path = class->paths[i], .label = (int)c};
        free(order);
        free(in_test);
    }
    return CONVOY_OK;
}

/* The training part's folders say which classes there are, and in which order. */
static convoy_status select_all(const char *folder, const image_classes *part, const image_classes *known, selection *s,
                                convoy_error *err)
{
    for (size_t c = 0; c < part->count; c++) {
        const image_class *class = &part->items[c];
        size_t label = 0;
        while (label < known->count && strcmp(known->items[label].name, class->name) != 0)
            label++;
        if (label == known->count && class->count > 0)
            return base_fail(err, CONVOY_ERROR_FORMAT,
                             "%s: the class '%s' is none of the %zu that the training images have", folder, class->name,
                             known->count);
        for (size_t i = 0; i < class->count && label < known->count; i++)
            s->jobs[s->count++] = (image_job){.path = class->paths[i], .label = (int)label};
    }
    return CONVOY_OK;
}

/* ---- what came of it ---- */

/* Closes the gaps that images left which could not be read. */
static convoy_status keep_good(convoy_dataset *data, const selection *s, convoy_error *err)
{
    size_t bytes = dataset_image_bytes(data);
    for (size_t i = 0; i < s->count; i++) {
        const image_job *job = &s->jobs[i];
        if (job->status != CONVOY_OK) {
            if (data->skipped++ == 0 && (data->first_skipped = strdup(job->error)) == NULL)
                return OUT_OF_MEMORY(err);
            continue;
        }
        if (data->count != i)
            memmove(data->images + data->count * bytes, data->images + i * bytes, bytes);
        data->labels[data->count++] = job->label;
    }
    return CONVOY_OK;
}

/* A class without an image to learn from is a mistake: a wrong folder, or files that are none. */
static convoy_status check_classes(const char *folder, const convoy_dataset *data, convoy_error *err)
{
    bool *seen = calloc((size_t)data->classes, sizeof *seen);
    int c = 0;
    if (seen == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < data->count; i++)
        seen[data->labels[i]] = true;
    while (c < data->classes && seen[c])
        c++;
    free(seen);
    if (c == data->classes)
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_FORMAT,
                     "%s: the class '%s' has no image that can be read (PNG, JPEG)%s%s; add some or remove the folder",
                     folder, data->names[c], data->first_skipped ? "; the first file left out: " : "",
                     data->first_skipped ? data->first_skipped : "");
}

/* Most likely the folder above or below is meant. */
static convoy_status check_several(const char *folder, const image_classes *classes, convoy_error *err)
{
    if (classes->count != 1)
        return CONVOY_OK;
    return base_fail(err, CONVOY_ERROR_FORMAT,
                     "%s: only one folder, '%s', is in it, which makes one class; a folder for each of several classes is "
                     "expected: if those are in '%s', give that folder",
                     folder, classes->items[0].name, classes->items[0].name);
}

/* ---- decoding, or what was decoded before ---- */

static void message(const convoy_dataset_options *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void message(const convoy_dataset_options *o, const char *format, ...)
{
    convoy_error text;
    va_list args;
    if (o->on_message == NULL)
        return;
    va_start(args, format);
    vsnprintf(text.message, sizeof text.message, format, args);
    va_end(args);
    o->on_message(o->user, text.message);
}

static convoy_status decode(const data_request *request, const selection *s, convoy_dataset *data, convoy_error *err)
{
    TRY(image_jobs_run(s->jobs, s->count, data->shape, request->options->threads, data->images, err));
    data->decoded = s->count;
    return keep_good(data, s, err);
}

/* What could not be opened now may be there next time: no change of the file would tell. */
static bool is_lasting(const selection *s, const convoy_dataset *data)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->jobs[i].status == CONVOY_ERROR_FILE)
            return false;
    return data->count > 0;
}

static convoy_status fill_cached(const data_request *request, const selection *s, image_cache *cache, convoy_dataset *data,
                                 convoy_error *err)
{
    const convoy_dataset_options *o = request->options;
    uint64_t most = o->image_cache_bytes ? o->image_cache_bytes : CACHE_MOST;
    convoy_error why = {0};
    bool found = false;
    if (image_cache_open(cache, request->path, s->jobs, s->count, most, data, &found, &why) != CONVOY_OK) {
        message(o, "decoded images are not kept: %s", why.message);
        TRY(dataset_reserve(data, s->count, err));
        return decode(request, s, data, err);
    }
    if (found)
        return CONVOY_OK;
    TRY(decode(request, s, data, err));
    if (is_lasting(s, data) && image_cache_keep(cache, data, &why) != CONVOY_OK)
        message(o, "decoded images are not kept: %s", why.message);
    return CONVOY_OK;
}

static convoy_status fill(const data_request *request, const selection *s, convoy_dataset *data, convoy_error *err)
{
    image_cache cache;
    if (request->options->no_image_cache) {
        TRY(dataset_reserve(data, s->count, err));
        return decode(request, s, data, err);
    }
    convoy_status status = fill_cached(request, s, &cache, data, err);
    image_cache_close(&cache);
    return status;
}

static convoy_status make_set(const data_request *request, const image_classes *classes, const selection *s,
                              convoy_dataset **out, convoy_error *err)
{
    const convoy_dataset_options *o = request->options;
    convoy_shape shape = {3, {o->height, o->width, o->channels}};
    const char **names = calloc(classes->count, sizeof *names);
    if (names == NULL)
        return OUT_OF_MEMORY(err);
    for (size_t i = 0; i < classes->count; i++)
        names[i] = classes->items[i].name;
    convoy_status status = dataset_new(shape, (int)classes->count, names, out, err);
    free(names);
    TRY(status);
    if (s->count == 0)
        return CONVOY_OK;
    TRY(fill(request, s, *out, err));
    if ((*out)->count == 0)
        return base_fail(err, CONVOY_ERROR_FORMAT, "%s: none of the %zu images can be read; the first: %s", request->path,
                         s->count, (*out)->first_skipped);
    return request->test ? CONVOY_OK : check_classes(request->path, *out, err);
}

static convoy_status check_options(const data_request *request, convoy_error *err)
{
    const convoy_dataset_options *o = request->options;
    convoy_status status = image_supported(err);
    if (status != CONVOY_OK)
        return base_fail_in(err, status, "%s", request->path);
    if (o->height < 1 || o->width < 1 || (o->channels != 1 && o->channels != 3))
        return base_fail(err, CONVOY_ERROR_ARGUMENT,
                         "%s: a folder of images, which become (%d, %d, %d): give a height and width of at least 1 and 1 or "
                         "3 channels",
                         request->path, o->height, o->width, o->channels);
    if (!(o->test_split >= 0 && o->test_split < 1))
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "%s: a test split of %g; at least 0 and below 1 is expected",
                         request->path, o->test_split);
    return CONVOY_OK;
}

convoy_status image_folder_read(const data_request *request, convoy_dataset **out, const char **listed,
                                convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    char train[PATH_MAX], test[PATH_MAX];
    image_classes classes = {0}, tested = {0};
    selection s = {0};
    TRY(check_options(request, err));
    *listed = "a second image of any class, or a folder test, validation or val";
    bool has_train = find_part(request->path, train_names, train);
    bool has_test = has_train && find_part(request->path, test_names, test);
    TRY_GOTO(image_classes_scan(has_train ? train : request->path, &classes, err));
    TRY_GOTO(check_several(has_train ? train : request->path, &classes, err));
    if (has_test && request->test)
        TRY_GOTO(image_classes_scan(test, &tested, err));
    const image_classes *part = has_test && request->test ? &tested : &classes;
    TRY_GOTO(allocate_jobs(&s, part, err));
    if (has_test)
        TRY_GOTO(select_all(request->test ? test : train, part, &classes, &s, err));
    else
        TRY_GOTO(select_split(request, &classes, &s, err));
    TRY_GOTO(make_set(request, &classes, &s, out, err));
done:
    selection_free(&s);
    image_classes_free(&classes);
    image_classes_free(&tested);
    return status;
}

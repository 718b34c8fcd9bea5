#include "files/keras_groups.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/level.h"

#define VARIABLES "vars"
#define LAYERS "layers"
#define OLD_LAYERS "_layer_checkpoint_dependencies"
#define MOST_GROUPS ((size_t)1 << 20)
#define LISTED 12 /* groups that a message names */

/* A place of layers: in the file "layers/conv2d", in the model the path of level_walk. */
typedef struct place {
    char *path;    /* owned; parts are divided by '/' */
    char *group;   /* owned; in the file: the name of its group of variables as it is there */
    bool weighted; /* it has weights, or one inside it has */
} place;

typedef struct place_list {
    place *item;
    size_t count;
} place_list;

struct keras_groups {
    place_list file, model;
};

/* ---- lists ---- */

static void free_list(place_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->item[i].path);
        free(list->item[i].group);
    }
    free(list->item);
    *list = (place_list){0};
}

/* False: out of memory, or absurdly many. */
static bool append(place_list *list, const char *path, size_t length, const char *group, bool weighted)
{
    if (list->count == MOST_GROUPS)
        return false;
    if ((list->count & (list->count - 1)) == 0) { /* full at the powers of two */
        place *more = realloc(list->item, (list->count ? 2 * list->count : 1) * sizeof *more);
        if (more == NULL)
            return false;
        list->item = more;
    }
    place *new = &list->item[list->count++];
    *new = (place){.path = strndup(path, length), .group = group ? strdup(group) : NULL, .weighted = weighted};
    return new->path != NULL && (group == NULL || new->group != NULL);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const place *)a)->path, ((const place *)b)->path);
}

static bool is_inside(const char *path, const char *outer)
{
    size_t length = strlen(outer);
    return length == 0 || (strncmp(path, outer, length) == 0 && path[length] == '/');
}

/* A model inside the model is weighted when one of its layers is: those follow it. */
static void finish_list(place_list *list)
{
    if (list->count > 0)
        qsort(list->item, list->count, sizeof *list->item, by_path);
    for (size_t i = list->count; i-- > 0;)
        for (size_t k = i + 1; k < list->count && !list->item[i].weighted; k++) {
            if (strncmp(list->item[k].path, list->item[i].path, strlen(list->item[i].path)) != 0)
                break;
            list->item[i].weighted = is_inside(list->item[k].path, list->item[i].path) && list->item[k].weighted;
        }
}

static const place *find_place(const place_list *list, const char *path)
{
    const place key = {.path = (char *)path};
    return list->count ? bsearch(&key, list->item, list->count, sizeof key, by_path) : NULL;
}

/* ---- what the file has ---- */

/* Windows divides the parts by backslashes, inside the name of one group. */
static herr_t visit_link(hid_t file, const char *name, const H5L_info_t *info, void *user)
{
    char path[KERAS_PATH_SIZE];
    H5G_info_t content;
    size_t length = strlen(name), end = strlen("/" VARIABLES);
    if (info->type != H5L_TYPE_HARD || length <= end || length >= sizeof path - 16)
        return 0;
    text_copy(path, sizeof path, name);
    for (char *c = path; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) /* names go into messages */
            return 0;
        *c = *c == '\\' ? '/' : *c;
    }
    hid_t group = strcmp(path + length - end, "/" VARIABLES) == 0 ? H5Gopen2(file, name, H5P_DEFAULT) : -1;
    if (group < 0)
        return 0;
    bool known = H5Gget_info(group, &content) >= 0;
    H5Gclose(group);
    return known && !append(user, path, length - end, name, content.nlinks > 0) ? -1 : 0;
}

static convoy_status list_file(const hdf5_file *file, place_list *out, convoy_error *err)
{
    char reason[HDF5_REASON_SIZE];
    if (H5Lvisit(file->id, H5_INDEX_NAME, H5_ITER_NATIVE, visit_link, out) < 0)
        return base_fail(err, CONVOY_ERROR_FORMAT, "damaged, its groups can't be listed: %s", hdf5_reason(reason));
    finish_list(out);
    return CONVOY_OK;
}

/* ---- what the model has ---- */

typedef struct collecting {
    const convoy_model *model;
    place_list *list;
} collecting;

static convoy_status visit_layer(void *user, size_t node, const char *name, const char *path, convoy_error *err)
{
    const collecting *c = user;
    bool weighted = node != SIZE_MAX && c->model->nodes[node].layer->param_count > 0;
    (void)name;
    return append(c->list, path, strlen(path), NULL, weighted) ? CONVOY_OK : OUT_OF_MEMORY(err);
}

convoy_status keras_groups_open(const hdf5_file *file, const convoy_model *model, keras_groups **out, convoy_error *err)
{
    keras_groups *g = calloc(1, sizeof *g);
    if (g == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = list_file(file, &g->file, err);
    if (status == CONVOY_OK)
        status = level_walk(model, visit_layer, &(collecting){model, &g->model}, err);
    if (status != CONVOY_OK) {
        keras_groups_close(g);
        return status;
    }
    finish_list(&g->model);
    *out = g;
    return CONVOY_OK;
}

void keras_groups_close(keras_groups *g)
{
    if (g == NULL)
        return;
    free_list(&g->file);
    free_list(&g->model);
    free(g);
}

bool keras_groups_any(const keras_groups *g)
{
    for (size_t i = 0; i < g->file.count; i++)
        if (g->file.item[i].weighted && strchr(g->file.item[i].path, '/') != NULL)
            return true;
    return false;
}

/* ---- both together ---- */

/* A layer's name in its path: "conv2d_1" is the second "conv2d". */
typedef struct counted {
    size_t base;   /* bytes of the name without the number */
    unsigned long number;
} counted;

static counted count_of(const char *name)
{
    const char *mark = strrchr(name, '_');
    size_t digits = mark ? strspn(mark + 1, "0123456789") : 0;
    if (digits == 0 || digits > 9 || mark[1 + digits] != '\0')
        return (counted){strlen(name), 0};
    return (counted){(size_t)(mark - name), strtoul(mark + 1, NULL, 10)};
}

/* The layers of one class on one level, and the number of the one that is looked for. */
typedef struct family {
    const char *outer, *container, *name; /* "layers/functional", "layers", "conv2d_1" */
    counted wanted;
} family;

/* Is `path` OUTER/CONTAINER/NAME with a name of the family? Gives its number. */
static bool is_of(const family *f, const char *path, unsigned long *number)
{
    size_t outer = strlen(f->outer), container = strlen(f->container);
    if (!is_inside(path, f->outer))
        return false;
    path += outer + (outer > 0);
    if (strncmp(path, f->container, container) != 0 || path[container] != '/')
        return false;
    path += container + 1;
    counted c = count_of(path);
    *number = c.number;
    return strchr(path, '/') == NULL && c.base == f->wanted.base && strncmp(path, f->name, c.base) == 0;
}

static int by_number(const void *a, const void *b)
{
    unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;
    return (x > y) - (x < y);
}

/* The numbers of the family's members that have weights, in their order. */
static size_t list_numbers(const place_list *list, const family *f, unsigned long *out)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->item[i].weighted && is_of(f, list->item[i].path, &out[count]))
            count++;
    qsort(out, count, sizeof *out, by_number);
    return count;
}

/* The number in the file of the layer that is looked for: its own when all have theirs, else as many must be there, in their order. */
static bool match(const keras_groups *g, const family *in_model, const family *in_file, unsigned long *number)
{
    unsigned long *here = malloc((g->model.count + g->file.count + 2) * sizeof *here), *there = here + g->model.count + 1;
    if (here == NULL)
        return false;
    size_t wanted = list_numbers(&g->model, in_model, here), found = list_numbers(&g->file, in_file, there);
    size_t rank = 0, same = 0;
    for (size_t i = 0; i < wanted; i++) {
        rank += here[i] < in_model->wanted.number;
        same += found > 0 && bsearch(&here[i], there, found, sizeof *there, by_number) != NULL;
    }
    *number = same == wanted ? in_model->wanted.number : found == wanted ? there[rank] : 0;
    free(here);
    return same == wanted || found == wanted;
}

/* What stands between a model's place in the file and its layers: LAYERS, OLD_LAYERS, then whatever else there is. */
static const char *next_container(const keras_groups *g, const char *outer, size_t *at, char out[KERAS_PATH_SIZE])
{
    static const char *const usual[] = {LAYERS, OLD_LAYERS};
    if (*at < 2)
        return usual[(*at)++];
    for (; *at - 2 < g->file.count; (*at)++) {
        const char *path = g->file.item[*at - 2].path;
        if (!is_inside(path, outer))
            continue;
        path += strlen(outer) + (outer[0] != '\0');
        size_t length = strcspn(path, "/");
        bool again = strncmp(path, out, length) == 0 && out[length] == '\0';
        if (path[length] != '/' || length >= KERAS_PATH_SIZE || again)
            continue;
        text_copy(out, length + 1, path);
        return out;
    }
    return NULL;
}

/* The place in the file, without "/vars", of a path of the model. */
static bool resolve(const keras_groups *g, const char *path, char out[KERAS_PATH_SIZE])
{
    char outer[KERAS_PATH_SIZE] = "", at_file[KERAS_PATH_SIZE] = "", other[KERAS_PATH_SIZE] = "";
    const char *name = strrchr(path, '/') + 1, *container;
    size_t before = (size_t)(name - path) - strlen(LAYERS "/"), at = 0;
    unsigned long number;
    if (before > 0) {
        text_copy(outer, before, path); /* without the slash behind it */
        if (!resolve(g, outer, at_file))
            return false;
    }
    const family in_model = {outer, LAYERS, name, count_of(name)};
    while ((container = next_container(g, at_file, &at, other)) != NULL) {
        const family in_file = {at_file, container, name, in_model.wanted};
        if (!match(g, &in_model, &in_file, &number))
            continue;
        int n = snprintf(out, KERAS_PATH_SIZE, "%s%s%s/%.*s", at_file, at_file[0] ? "/" : "", container,
                         (int)in_model.wanted.base, name);
        if (n < KERAS_PATH_SIZE && number > 0)
            n += snprintf(out + n, KERAS_PATH_SIZE - (size_t)n, "_%lu", number);
        return n < KERAS_PATH_SIZE;
    }
    return false;
}

static convoy_status fail_none(const keras_groups *g, const char *path, int needed, convoy_error *err)
{
    text t = {0};
    char *list = NULL;
    size_t listed = 0;
    for (size_t i = 0; i < g->file.count; i++)
        if (g->file.item[i].weighted && listed++ < LISTED)
            text_add(&t, "%s%.100s", listed > 1 ? ", " : "", g->file.item[i].path);
    if (listed > LISTED)
        text_add(&t, ", and %zu more", listed - LISTED);
    if (listed == 0)
        text_add(&t, "none");
    TRY(text_take(&t, &list, err));
    base_fail(err, CONVOY_ERROR_FORMAT, "0 weights in %s/" VARIABLES "; the model needs %d; groups that have weights: %s", path,
              needed, list);
    free(list);
    return CONVOY_ERROR_FORMAT;
}

convoy_status keras_groups_find(const keras_groups *g, const char *path, int needed, char out[KERAS_PATH_SIZE], convoy_error *err)
{
    char at[KERAS_PATH_SIZE];
    const place *found = resolve(g, path, at) ? find_place(&g->file, at) : NULL;
    if (found == NULL)
        return fail_none(g, path, needed, err);
    text_copy(out, KERAS_PATH_SIZE, found->group);
    return CONVOY_OK;
}

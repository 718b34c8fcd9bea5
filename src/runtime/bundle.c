/* Several programs compiled as one. In the joint text each unit stands between the definitions of its options and the removal of
 * all its macros, and its functions and types get a prefix of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "runtime/program.h"

typedef struct rt_pending {
    cl_program program;
    char *text;
    struct rt_pending *next;
} rt_pending;

convoy_status rt_units_add(const convoy_context *ctx, rt_units *units, const char *source, const char *options,
                           convoy_error *err)
{
    return program_known(ctx, source, options) ? CONVOY_OK : rt_units_note(units, source, options, err);
}

size_t rt_units_find(const rt_units *units, const char *source, const char *options)
{
    size_t i = 0;
    while (i < units->count &&
           (strcmp(units->items[i].source, source) != 0 || strcmp(units->items[i].options, options) != 0))
        i++;
    return i;
}

convoy_status rt_units_note(rt_units *units, const char *source, const char *options, convoy_error *err)
{
    if (rt_units_find(units, source, options) < units->count)
        return CONVOY_OK;
    TRY(program_check_options(source, options, err));
    rt_unit *items = realloc(units->items, (units->count + 1) * sizeof *items);
    if (items == NULL)
        return OUT_OF_MEMORY(err);
    units->items = items;
    items[units->count] = (rt_unit){strdup(source), strdup(options)};
    units->count++;
    return items[units->count - 1].source && items[units->count - 1].options ? CONVOY_OK : OUT_OF_MEMORY(err);
}

void rt_units_clear(rt_units *units)
{
    for (size_t i = 0; i < units->count; i++) {
        free(units->items[i].source);
        free(units->items[i].options);
    }
    free(units->items);
    *units = (rt_units){0};
}

/* Calls back for each word of a list separated by spaces. */
static void for_words(const char *words, void (*fn)(text *t, const char *word, int length, size_t unit), text *t,
                      size_t unit)
{
    while (*words) {
        size_t length = strcspn(words, " ");
        if (length > 0)
            fn(t, words, (int)length, unit);
        words += length + strspn(words + length, " ");
    }
}

static void undefine(text *t, const char *word, int length, size_t unit)
{
    (void)unit;
    text_add(t, "#undef %.*s\n", length, word);
}

static void rename_word(text *t, const char *word, int length, size_t unit)
{
    text_add(t, "#define %.*s u%zu_%.*s\n", length, word, unit, length, word);
}

/* "-DNAME=VALUE" or "-DNAME", as program_check_options sees to. */
static void define_option(text *t, const char *word, int length, size_t unit)
{
    (void)unit;
    int name = (int)strcspn(word, "= ");
    if (name < length)
        text_add(t, "#define %.*s %.*s\n", name - 2, word + 2, length - name - 1, word + name + 1);
    else
        text_add(t, "#define %.*s 1\n", length - 2, word + 2);
}

static void undefine_option(text *t, const char *word, int length, size_t unit)
{
    int name = (int)strcspn(word, "= ");
    undefine(t, word + 2, (name < length ? name : length) - 2, unit);
}

void bundle_add_unit(text *t, const rt_unit *unit, const char *source, size_t i)
{
    for_words(unit->options, define_option, t, i);
    for_words(rt_kernel_defined(unit->source, 0), rename_word, t, i);
    text_add(t, "%s", source);
    for_words(rt_kernel_defined(unit->source, 0), undefine, t, i);
    for_words(rt_kernel_defined(unit->source, 1), undefine, t, i);
    for_words(unit->options, undefine_option, t, i);
}

/* Keeps text and program until bundle_keep_binaries; takes the text. Best effort: false, they are not kept. */
static bool note_pending(convoy_context *ctx, cl_program program, char *joint)
{
    rt_pending *p = calloc(1, sizeof *p);
    if (p == NULL || clRetainProgram(program) != CL_SUCCESS) {
        free(p);
        free(joint);
        return false;
    }
    *p = (rt_pending){program, joint, ctx->pending};
    ctx->pending = p;
    return true;
}

void bundle_keep_binaries(convoy_context *ctx)
{
    while (ctx->pending) {
        rt_pending *p = ctx->pending;
        ctx->pending = p->next;
        if (!ctx->lost && !program_keep_binary(ctx, p->program, p->text, ctx->build_options) && ctx->cache_dir[0] != '\0')
            rt_note(ctx, "compiled kernels can't be kept in %s, so they are built again at the next start", ctx->cache_dir);
        CL_RELEASE(ctx, clReleaseProgram, p->program);
        free(p->text);
        free(p);
    }
}

void rt_bundle_prefix(size_t unit, char out[RT_PREFIX]) { snprintf(out, RT_PREFIX, "u%zu_", unit); }

static convoy_status remember_units(convoy_context *ctx, const rt_units *units, cl_program program, convoy_error *err)
{
    for (size_t i = 0; i < units->count; i++) {
        char prefix[RT_PREFIX];
        rt_bundle_prefix(i, prefix);
        CL_TRY(ctx, clRetainProgram, program);
        TRY(program_remember(ctx, units->items[i].source, units->items[i].options, program, prefix, err));
    }
    return CONVOY_OK;
}

convoy_status bundle_program(convoy_context *ctx, const char *what, char *joint, cl_program *out, convoy_error *err)
{
    *out = program_build_from_cache(ctx, joint, ctx->build_options);
    bool cached = *out != NULL;
    convoy_status status = cached ? CONVOY_OK : program_build_from_source(ctx, what, ctx->build_options, joint, out, err);
    bool built = status == CONVOY_OK && !cached;
    program_keeper keeper = KEPT_BY_DRIVER;
    if (built && !ctx->trying && !program_kept_by_driver(ctx))
        keeper = note_pending(ctx, *out, joint) && ctx->cache_dir[0] ? KEPT_HERE : KEPT_NOWHERE;
    else
        free(joint);
    if (built)
        program_built(ctx, keeper);
    return status;
}

convoy_status rt_bundle_text(const rt_units *units, char **out, convoy_error *err)
{
    text t = {0};
    for (size_t i = 0; i < units->count; i++) {
        const char *source = rt_kernel_source(units->items[i].source);
        if (source == NULL) {
            text_free(&t);
            return program_no_kernel(units->items[i].source, err);
        }
        bundle_add_unit(&t, &units->items[i], source, i);
    }
    return text_take(&t, out, err);
}

convoy_status rt_bundle_build(convoy_context *ctx, const rt_units *units, convoy_error *err)
{
    char *joint = NULL;
    cl_program program;
    convoy_error why = {0};
    /* Only PoCL: the fixed cost is its own, and Intel's runtime (2026.2) compiled joint programs wrongly: `convoy check` showed
     * NaN where the same kernels, compiled one by one, are right. */
    if (units->count < 2 || !rt_is_pocl(ctx))
        return CONVOY_OK;
    TRY(rt_bundle_text(units, &joint, err));
    convoy_status status = bundle_program(ctx, "a program of several kernels", joint, &program, &why);
    if (status == CONVOY_ERROR_BUILD) {
        rt_message(ctx, "kernels are built one by one, which takes longer: %s", why.message);
        return CONVOY_OK;
    }
    if (status != CONVOY_OK) {
        if (err)
            *err = why;
        return status;
    }
    status = remember_units(ctx, units, program, err);
    CL_RELEASE(ctx, clReleaseProgram, program);
    return status;
}

/* ---- marks ---- */

/* In place of build options, in the key. */
#define MARK "kept by the driver"

bool rt_bundle_marked(const convoy_context *ctx, const char *joint)
{
    size_t size;
    unsigned char *mark = rt_cache_load(ctx, joint, MARK, &size);
    free(mark);
    return mark != NULL;
}

void rt_bundle_mark(const convoy_context *ctx, const char *joint)
{
    (void)rt_cache_store(ctx, joint, MARK, (const unsigned char *)MARK, sizeof MARK); /* else as if it had never been compiled */
}

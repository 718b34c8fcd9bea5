/* Programs: built once a context, from the disk cache where it has them. */
#include "runtime/program.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define LONG_BUILD 1.0 /* seconds after which the user is told */

static char *build_log(const convoy_context *ctx, cl_program program)
{
    enum { ROOM = 128 };
    size_t size = 0;
    cl_int code = clGetProgramBuildInfo(program, ctx->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    char *log = calloc(1, size + ROOM);
    if (log != NULL && code == CL_SUCCESS && size > 0)
        code = clGetProgramBuildInfo(program, ctx->device, CL_PROGRAM_BUILD_LOG, size, log, NULL);
    if (log != NULL && code != CL_SUCCESS)
        snprintf(log, ROOM, "(the compiler's log can't be read: %s (%d))", rt_cl_error(code), (int)code);
    return log;
}

bool program_kept_by_driver(const convoy_context *ctx)
{
    const char *cache = getenv("POCL_KERNEL_CACHE");
    return rt_is_pocl(ctx) && (cache == NULL || strcmp(cache, "0") != 0);
}

void program_built(convoy_context *ctx, program_keeper keeper)
{
    if (ctx->trying)
        return;
    if (keeper > ctx->keeper)
        ctx->keeper = keeper;
    if (ctx->build_told || ctx->build_seconds < LONG_BUILD)
        return;
    ctx->build_told = true;
    if (ctx->cache_dir[0] == '\0' && ctx->keeper != KEPT_BY_DRIVER)
        rt_note(ctx, "building kernels for %s; there is no cache folder, so this happens at every start", ctx->info.name);
    else if (ctx->keeper == KEPT_NOWHERE)
        rt_note(ctx, "building kernels for %s; they can't be kept in %s, so this happens at every start", ctx->info.name,
                ctx->cache_dir);
    else if (ctx->keeper == KEPT_BY_DRIVER)
        rt_note(ctx, "building kernels for %s; this happens once, its driver keeps them", ctx->info.name);
    else
        rt_note(ctx, "building kernels for %s; this happens once, they are kept in %s", ctx->info.name, ctx->cache_dir);
}

void program_building(convoy_context *ctx, size_t kernels)
{
    if (!ctx->build_told)
        rt_note(ctx, "building %zu kernels for %s; this happens once, its driver keeps them", kernels, ctx->info.name);
    ctx->build_told = true;
}

convoy_status program_build_from_source(convoy_context *ctx, const char *what, const char *options, const char *text,
                                       cl_program *out, convoy_error *err)
{
    cl_int code;
    double start = clock_seconds();
    cl_program program = clCreateProgramWithSource(ctx->context, 1, &text, NULL, &code);
    if (code != CL_SUCCESS)
        return rt_fail(ctx, "clCreateProgramWithSource", code, err);
    rt_wait_begin(ctx, "compiling", what, false);
    code = clBuildProgram(program, 1, &ctx->device, options, NULL, NULL);
    rt_wait_end(ctx);
    if (code != CL_SUCCESS) {
        char *log = build_log(ctx, program);
        convoy_status status = build_fail(ctx, what, options, text, log ? log : "", code, err);
        free(log);
        CL_RELEASE(ctx, clReleaseProgram, program);
        return status;
    }
    ctx->counters.builds++;
    if (!ctx->trying)
        ctx->build_seconds += clock_seconds() - start;
    *out = program;
    return CONVOY_OK;
}

cl_program program_build_from_cache(convoy_context *ctx, const char *text, const char *options)
{
    size_t size;
    unsigned char *binary = rt_cache_load(ctx, text, options, &size);
    if (binary == NULL)
        return NULL;
    cl_int code, loaded = CL_SUCCESS;
    const unsigned char *binaries[1] = {binary};
    cl_program program =
        clCreateProgramWithBinary(ctx->context, 1, &ctx->device, &size, binaries, &loaded, &code);
    free(binary);
    if (code != CL_SUCCESS)
        return NULL;
    rt_wait_begin(ctx, "loading", "compiled kernels", false);
    code = loaded == CL_SUCCESS ? clBuildProgram(program, 1, &ctx->device, options, NULL, NULL) : loaded;
    rt_wait_end(ctx);
    if (code == CL_SUCCESS) {
        ctx->counters.cache_hits++;
        return program;
    }
    CL_RELEASE(ctx, clReleaseProgram, program);
    return NULL;
}

/* NULL when the driver hands out none. */
static unsigned char *binary_of(cl_program program, size_t *size)
{
    *size = 0;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof *size, size, NULL) != CL_SUCCESS || *size == 0)
        return NULL;
    unsigned char *binary = malloc(*size);
    if (binary != NULL && clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        return binary;
    free(binary);
    return NULL;
}

bool program_keep_binary(convoy_context *ctx, cl_program program, const char *text, const char *options)
{
    size_t size;
    if (ctx->cache_dir[0] == '\0' || ctx->trying)
        return false;
    rt_wait_begin(ctx, "compiling", "kernels to keep", false); /* PoCL compiles when it is asked: see bundle_keep_binaries */
    unsigned char *binary = binary_of(program, &size);
    rt_wait_end(ctx);
    bool kept = binary != NULL && rt_cache_store(ctx, text, options, binary, size);
    free(binary);
    return kept;
}

convoy_status program_remember(convoy_context *ctx, const char *source, const char *options, cl_program program,
                               const char *prefix, convoy_error *err)
{
    rt_program *entry = calloc(1, sizeof *entry);
    char *source_copy = strdup(source), *options_copy = strdup(options);
    if (entry == NULL || source_copy == NULL || options_copy == NULL) {
        free(entry);
        free(source_copy);
        free(options_copy);
        CL_RELEASE(ctx, clReleaseProgram, program);
        return OUT_OF_MEMORY(err);
    }
    *entry = (rt_program){.source = source_copy, .options = options_copy, .program = program, .next = ctx->programs};
    text_copy(entry->prefix, sizeof entry->prefix, prefix);
    ctx->programs = entry;
    ctx->counters.live_objects++;
    return CONVOY_OK;
}

convoy_status program_check_options(const char *source, const char *options, convoy_error *err)
{
    for (const char *word = options + strspn(options, " "); *word != '\0'; word += strcspn(word, " "), word += strspn(word, " "))
        if (strncmp(word, "-D", 2) != 0 || (word[2] != '_' && !isalpha((unsigned char)word[2])))
            return base_fail(err, CONVOY_ERROR_ARGUMENT, "cl/%s.cl: option '%.*s'; options are -DNAME=VALUE or -DNAME", source,
                             (int)strcspn(word, " "), word);
    return CONVOY_OK;
}

convoy_status program_no_kernel(const char *source, convoy_error *err)
{
    return base_fail(err, CONVOY_ERROR_ARGUMENT, "cl/%s.cl: there is no such kernel file", source);
}

static convoy_status build_alone(convoy_context *ctx, const char *source, const char *options, convoy_error *err)
{
    char what[96];
    const char *text = rt_kernel_source(source);
    TRY(program_check_options(source, options, err));
    if (text == NULL)
        return program_no_kernel(source, err);
    snprintf(what, sizeof what, "cl/%s.cl", source);
    size_t size = strlen(options) + strlen(ctx->build_options) + 2;
    char *all_options = malloc(size);
    if (all_options == NULL)
        return OUT_OF_MEMORY(err);
    snprintf(all_options, size, "%s%s%s", options, options[0] ? " " : "", ctx->build_options);

    convoy_status status = CONVOY_OK;
    cl_program program = program_build_from_cache(ctx, text, all_options);
    if (program == NULL) {
        TRY_GOTO(program_build_from_source(ctx, what, all_options, text, &program, err));
        bool ours = !program_kept_by_driver(ctx);
        bool kept = ours && program_keep_binary(ctx, program, text, all_options);
        program_built(ctx, kept ? KEPT_HERE : ours ? KEPT_NOWHERE : KEPT_BY_DRIVER);
    }
    status = program_remember(ctx, source, options, program, "", err);
done:
    free(all_options);
    return status;
}

const rt_program *program_known(const convoy_context *ctx, const char *source, const char *options)
{
    for (const rt_program *p = ctx->programs; p != NULL; p = p->next)
        if (strcmp(p->source, source) == 0 && strcmp(p->options, options) == 0)
            return p;
    return NULL;
}

convoy_status rt_program_find(convoy_context *ctx, const char *source, const char *options, const rt_program **out,
                              convoy_error *err)
{
    *out = program_known(ctx, source, options);
    if (*out == NULL) {
        TRY(build_alone(ctx, source, options, err));
        *out = ctx->programs; /* the newest comes first */
    }
    return CONVOY_OK;
}

convoy_status rt_program_get(convoy_context *ctx, const char *source, const char *options, cl_program *out,
                             convoy_error *err)
{
    const rt_program *found;
    TRY(rt_program_find(ctx, source, options, &found, err));
    *out = found->program;
    return CONVOY_OK;
}

/* The newest programs, down to `last`. */
static void release_until(convoy_context *ctx, const rt_program *last)
{
    while (ctx->programs != last && ctx->programs != NULL) {
        rt_program *p = ctx->programs;
        ctx->programs = p->next;
        CL_RELEASE(ctx, clReleaseProgram, p->program);
        ctx->counters.live_objects--;
        free(p->source);
        free(p->options);
        free(p);
    }
}

void rt_programs_destroy(convoy_context *ctx)
{
    bundle_keep_binaries(ctx);
    release_until(ctx, NULL);
}

void rt_try_begin(convoy_context *ctx) { ctx->trying = true; }
void rt_try_end(convoy_context *ctx) { ctx->trying = false; }
const void *rt_try_mark(const convoy_context *ctx) { return ctx->programs; }
void rt_try_forget(convoy_context *ctx, const void *mark) { release_until(ctx, mark); }

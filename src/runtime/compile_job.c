#define _GNU_SOURCE /* pipe2 */
#include "runtime/compile_job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "config.h"
#include "convoy/version.h"

extern char **environ;

struct compile_job {
    text request; /* compile_main.c says what it is made of */
    size_t kernels, built;
    int progress;  /* the process writes a byte for each kernel; -1: none */
    pid_t process; /* 0: none */
};

convoy_status compile_job_create(convoy_context *ctx, compile_job **out, convoy_error *err)
{
    compile_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return OUT_OF_MEMORY(err);
    job->progress = -1;
    text_add(&job->request, "convoy-compile %s\ndevice %d %d\noptions %zu\n%s\n", CONVOY_VERSION, ctx->info.platform, ctx->info.device,
             strlen(ctx->build_options), ctx->build_options);
    *out = job;
    return CONVOY_OK;
}

/* ---- the request ---- */

static void add_value(text *t, const rt_list *list, const rt_arg *arg)
{
    unsigned char bytes[4];
    float f = arg->kind == RT_ARG_FLOAT ? arg->f : arg->kind == RT_ARG_INVERSE ? 1.0f / (float)list->batch : 0.0f;
    int i = arg->kind == RT_ARG_INT ? arg->i : list->batch * arg->i;
    bool whole = strcmp(list_arg_type(arg), "int") == 0;
    if (arg->kind == RT_ARG_VARIABLE) {
        i = list->ints[arg->i];
        f = list->floats[arg->i];
    }
    memcpy(bytes, whole ? (const void *)&i : (const void *)&f, sizeof bytes);
    text_add(t, "value %02x%02x%02x%02x\n", bytes[0], bytes[1], bytes[2], bytes[3]);
}

static void add_arg(text *t, const rt_list *list, const rt_arg *arg, const rt_buffer *filled)
{
    const rt_buffer *buffer = arg->kind == RT_ARG_SWITCHED ? arg->switched[list->which] : arg->buffer;
    if (arg->kind == RT_ARG_BUFFER || arg->kind == RT_ARG_SWITCHED)
        text_add(t, "%s %zu\n", filled && buffer == filled ? "filled" : "buffer", buffer->bytes);
    else if (arg->kind == RT_ARG_LOCAL)
        text_add(t, "local %d\n", arg->i);
    else
        add_value(t, list, arg);
}

void compile_job_add(compile_job *job, const char *program, size_t launches)
{
    job->kernels += launches;
    text_add(&job->request, "program %zu %zu\n%s\n", strlen(program), launches, program);
}

void compile_job_add_launch(compile_job *job, const rt_list *list, const compile_launch *l)
{
    text *t = &job->request;
    text_add(t, "launch %s %d %u", l->kernel, l->arg_count, l->dims);
    for (cl_uint d = 0; d < l->dims; d++)
        text_add(t, " %zu %zu", l->global[d], l->local[d]);
    text_add(t, "\n");
    for (int a = 0; a < l->arg_count; a++)
        add_arg(t, list, &l->args[a], l->filled);
}

/* ---- the process ---- */

/* What the environment names, else the installed one, else that of the folder that this was built in. */
static const char *helper(void)
{
    static const char *const paths[] = {CONVOY_COMPILE_HELPER, CONVOY_BUILD_COMPILE_HELPER};
    const char *named = getenv("CONVOY_COMPILE_HELPER");
    if (named != NULL)
        return named;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    return NULL;
}

/* A file that is gone with its last descriptor: a pipe would make one of the two wait for the other. */
static FILE *request_file(const text *request)
{
    FILE *f = request->failed ? NULL : tmpfile();
    if (f == NULL)
        return NULL;
    if (fwrite(request->data, 1, request->length, f) == request->length && fflush(f) == 0 && lseek(fileno(f), 0, SEEK_SET) == 0)
        return f;
    (void)fclose(f); /* nothing was promised */
    return NULL;
}

static bool spawn(compile_job *job, const char *path, FILE *request, int progress)
{
    posix_spawn_file_actions_t files;
    char *argv[] = {(char *)(uintptr_t)path, NULL};
    pid_t process;
    if (posix_spawn_file_actions_init(&files) != 0)
        return false;
    bool ready = posix_spawn_file_actions_adddup2(&files, fileno(request), 0) == 0 &&
                 posix_spawn_file_actions_adddup2(&files, progress, 1) == 0 &&
                 posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0) == 0;
    bool spawned = ready && posix_spawn(&process, path, &files, NULL, argv, environ) == 0;
    posix_spawn_file_actions_destroy(&files);
    if (spawned)
        job->process = process;
    return spawned;
}

bool compile_job_start(compile_job *job)
{
    const char *path = helper();
    FILE *request = path ? request_file(&job->request) : NULL;
    text_free(&job->request);
    if (request == NULL)
        return false;
    int ends[2];
    bool started = false;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
        started = spawn(job, path, request, ends[1]);
        job->progress = ends[0];
        (void)close(ends[1]); /* the process has it */
    }
    (void)fclose(request); /* was only read since */
    return started;
}

static void read_progress(compile_job *job)
{
    char bytes[256];
    ssize_t count;
    while (job->progress >= 0 && (count = read(job->progress, bytes, sizeof bytes)) > 0)
        job->built += (size_t)count;
}

static compile_state wait_for(compile_job *job, int flags)
{
    int status = 0;
    pid_t ended;
    if (job->process == 0)
        return COMPILE_FAILED;
    while ((ended = waitpid(job->process, &status, flags)) < 0 && errno == EINTR) {}
    if (ended == 0)
        return COMPILE_RUNS;
    job->process = 0;
    return ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? COMPILE_DONE : COMPILE_FAILED;
}

compile_state compile_job_poll(compile_job *job)
{
    compile_state state = wait_for(job, WNOHANG);
    read_progress(job);
    return state;
}

size_t compile_job_kernels(const compile_job *job) { return job->kernels; }
size_t compile_job_built(const compile_job *job) { return job->built; }

void compile_job_destroy(compile_job *job)
{
    if (job == NULL)
        return;
    if (job->process != 0 && kill(job->process, SIGKILL) == 0)
        wait_for(job, 0);
    if (job->progress >= 0)
        (void)close(job->progress); /* nothing was written to it here */
    text_free(&job->request);
    free(job);
}

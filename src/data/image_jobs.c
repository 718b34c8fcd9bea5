/* Decodes images by several threads: each takes the next one that nobody has. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convoy/image.h"
#include "data/image_folder.h"

#define MOST_THREADS 64
#define MOST_DEFAULT 8

typedef struct work {
    image_job *jobs;
    size_t count, bytes;
    convoy_shape shape;
    uint8_t *out;
    atomic_size_t next;
} work;

static void *take_jobs(void *user)
{
    work *w = user;
    convoy_error err;
    for (size_t i; (i = atomic_fetch_add(&w->next, 1)) < w->count;) {
        image_job *job = &w->jobs[i];
        err.message[0] = '\0';
        job->status = convoy_image_read(job->path, w->shape, w->out + i * w->bytes, &err);
        if (job->status != CONVOY_OK && (job->error = strdup(err.message)) == NULL)
            job->status = CONVOY_ERROR_MEMORY;
    }
    return NULL;
}

static int thread_count(int wanted, size_t jobs)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int most = processors < 1 ? 1 : processors > MOST_DEFAULT ? MOST_DEFAULT : (int)processors;
    int threads = wanted <= 0 ? most : wanted > MOST_THREADS ? MOST_THREADS : wanted;
    return (size_t)threads > jobs ? (int)jobs : threads;
}

convoy_status image_jobs_run(image_job *jobs, size_t count, convoy_shape shape, int threads, uint8_t *out,
                             convoy_error *err)
{
    work w = {.jobs = jobs, .count = count, .shape = shape, .out = out};
    w.bytes = (size_t)shape.dim[0] * (size_t)shape.dim[1] * (size_t)shape.dim[2];
    pthread_t others[MOST_THREADS];
    int started = 0, wanted = thread_count(threads, count);
    while (started < wanted - 1 && pthread_create(&others[started], NULL, take_jobs, &w) == 0)
        started++;
    take_jobs(&w); /* this thread works too, and alone where no other can be had */
    for (int i = 0; i < started; i++)
        pthread_join(others[i], NULL);
    for (size_t i = 0; i < count; i++)
        if (jobs[i].status == CONVOY_ERROR_MEMORY)
            return OUT_OF_MEMORY(err);
    return CONVOY_OK;
}

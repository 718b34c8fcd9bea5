/* How fast image files become a network's input, on one core: for tools/bench_images.py.
 *     image_rate FOLDER HEIGHT WIDTH TIMES        reads all images of the folder that often; prints images and seconds of
 * processor time */
#include <convoy/convoy.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
    convoy_error err = {0};
    char **paths = NULL;
    size_t count = 0, done = 0;
    if (argc != 5) {
        fprintf(stderr, "usage: image_rate FOLDER HEIGHT WIDTH TIMES\n");
        return 2;
    }
    int height = atoi(argv[2]), width = atoi(argv[3]), times = atoi(argv[4]);
    unsigned char *pixels = height > 0 && width > 0 ? malloc((size_t)height * (size_t)width * 3) : NULL;
    convoy_status status = pixels != NULL ? convoy_image_list(argv[1], &paths, &count, &err) : CONVOY_ERROR_ARGUMENT;
    double start = seconds(), end = start;
    for (int t = 0; t <= times && status == CONVOY_OK; t++) { /* the first time is not counted */
        for (size_t i = 0; i < count && status == CONVOY_OK; i++)
            status = convoy_image_read(paths[i], (convoy_shape){3, {height, width, 3}}, pixels, &err);
        end = seconds();
        if (t == 0)
            start = end;
        else
            done += count;
    }
    if (status == CONVOY_OK)
        printf("%zu %.6f\n", done, end - start);
    else
        fprintf(stderr, "%s\n", err.message[0] ? err.message : "sizes of at least 1 are expected");
    convoy_image_list_free(paths, count);
    free(pixels);
    return status != CONVOY_OK;
}

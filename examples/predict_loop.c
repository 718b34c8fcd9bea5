/* Prediction in a loop: the model goes to the device once, then each image is one call. It reads paths, one a line, and answers each
 * at once with the class and its probability; an image that can't be read is told and passed over.
 *     predict_loop MODEL <paths */
#include <convoy/convoy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct work {
    convoy_model *model;
    convoy_predictor *predictor;
    convoy_outputs outputs; /* what the model's values mean */
    convoy_shape shape;     /* of an image: (H, W, C) */
    double scale;           /* that its pixels are divided by */
    float *x, *y, *probability;
} work;

static convoy_status fail(convoy_error *err, convoy_status status, const char *text)
{
    err->status = status;
    snprintf(err->message, sizeof err->message, "%s", text);
    return status;
}

static convoy_status prepare(work *w, convoy_context *device, const char *path, convoy_error *err)
{
    if (convoy_model_load(path, &w->model, err) || convoy_model_outputs(w->model, NULL, false, &w->outputs, err) ||
        convoy_predictor_create(device, w->model, 1, &w->predictor, err))
        return err->status;
    if (w->outputs.meaning == CONVOY_MEANS_NUMBERS || w->outputs.pixels != 1 || convoy_model_input_count(w->model) != 1)
        return fail(err, CONVOY_ERROR_MODEL, "a model is expected that tells the class of an image");
    w->shape = convoy_model_input(w->model);
    w->scale = convoy_pixels_for(w->model, NULL, 0).scale;
    w->x = malloc(sizeof(float) * (size_t)w->shape.dim[0] * (size_t)w->shape.dim[1] * (size_t)w->shape.dim[2]);
    w->y = malloc(sizeof(float) * (size_t)w->outputs.values * w->outputs.pixels);
    w->probability = malloc(sizeof(float) * (size_t)w->outputs.classes);
    return w->x && w->y && w->probability ? CONVOY_OK : fail(err, CONVOY_ERROR_MEMORY, "out of memory");
}

/* A device that fails ends the loop, a file does not. */
static convoy_status answer(const work *w, const char *path, convoy_error *err)
{
    if (convoy_image_read_scaled(path, w->shape, w->scale, w->x, err) != CONVOY_OK) {
        fprintf(stderr, "%s\n", err->message);
        *err = (convoy_error){0};
        return CONVOY_OK;
    }
    convoy_status status = convoy_predictor_run(w->predictor, w->x, 1, w->y, err);
    if (status != CONVOY_OK)
        return status;
    convoy_outputs_probabilities(&w->outputs, w->y, w->probability);
    int class = convoy_outputs_class(&w->outputs, w->y);
    const char *name = convoy_model_class_name(w->model, (size_t)class);
    printf("%s: ", path);
    if (name != NULL)
        printf("%s", name);
    else
        printf("class %d", class);
    printf(" (%.1f %%)\n", 100 * w->probability[class]);
    return fflush(stdout) == 0 ? CONVOY_OK : fail(err, CONVOY_ERROR_FILE, "the answer can't be written");
}

int main(int argc, char **argv)
{
    char path[4096];
    convoy_error err = {0};
    convoy_context *device = NULL;
    work w = {0};
    if (argc != 2) {
        fprintf(stderr, "usage: predict_loop MODEL <paths\n");
        return 2;
    }
    convoy_status status = convoy_context_create(NULL, &device, &err);
    if (status == CONVOY_OK)
        status = prepare(&w, device, argv[1], &err);
    while (status == CONVOY_OK && fgets(path, sizeof path, stdin) != NULL) {
        path[strcspn(path, "\n")] = '\0';
        status = answer(&w, path, &err);
    }
    if (status != CONVOY_OK)
        fprintf(stderr, "%s\n", err.message);
    free(w.probability);
    free(w.y);
    free(w.x);
    convoy_predictor_destroy(w.predictor);
    convoy_model_destroy(w.model);
    convoy_context_destroy(device);
    return status != CONVOY_OK;
}

/* A folder of images from start to end: opened and looked at, learned from, and a new picture told by what was learned.
 *     image_folder FOLDER IMAGE        FOLDER has a folder of images for each class */
#include <convoy/convoy.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 24, CHANNELS = 3, VALUES = SIDE * SIDE * CHANNELS, BEST = 3 };

static void tell(void *user, const char *text)
{
    (void)user;
    fprintf(stderr, "%s\n", text);
}

/* Every image is bytes, row by row, and a label. */
static void describe(const convoy_dataset *data)
{
    const char *first;
    for (int label = 0; label < convoy_dataset_classes(data); label++) {
        size_t count = 0;
        double sum = 0;
        for (size_t i = 0; i < convoy_dataset_count(data); i++) {
            const unsigned char *pixels = convoy_dataset_images(data) + i * VALUES;
            if (convoy_dataset_labels(data)[i] != label)
                continue;
            count++;
            for (int k = 0; k < VALUES; k++)
                sum += pixels[k];
        }
        printf("%s: %zu images, mean brightness %.1f\n", convoy_dataset_class_name(data, label), count,
               count > 0 ? sum / (double)count / VALUES : 0);
    }
    if (convoy_dataset_skipped(data, &first) > 0)
        printf("left out: %zu; the first: %s\n", convoy_dataset_skipped(data, NULL), first);
}

static convoy_status build(const convoy_dataset *data, convoy_model **model, convoy_error *err)
{
    char input[64], output[32];
    snprintf(input, sizeof input, "shape=(%d, %d, %d)", SIDE, SIDE, CHANNELS);
    snprintf(output, sizeof output, "units=%d", convoy_dataset_classes(data));
    convoy_status status;
    if ((status = convoy_model_create(NULL, model, err)) || (status = convoy_model_add(*model, "InputLayer", input, err)) ||
        (status = convoy_model_add(*model, "Conv2D", "filters=8, kernel_size=3, activation=relu", err)) ||
        (status = convoy_model_add(*model, "MaxPooling2D", NULL, err)) ||
        (status = convoy_model_add(*model, "Flatten", NULL, err)) ||
        (status = convoy_model_add(*model, "Dense", output, err)))
        return status;
    return convoy_model_initialize(*model, 1, err);
}

/* The likeliest classes: outputs are logits, of which softmax makes probabilities. */
static convoy_status tell_class(convoy_context *device, convoy_model *model, const convoy_dataset *data, const char *image,
                                convoy_error *err)
{
    int classes = convoy_dataset_classes(data);
    float x[VALUES], *y = malloc((size_t)classes * sizeof *y);
    convoy_predictor *predictor = NULL;
    convoy_status status = convoy_image_read_scaled(image, convoy_dataset_shape(data), 255, x, err);
    if (status == CONVOY_OK)
        status = convoy_predictor_create(device, model, 1, &predictor, err);
    if (status == CONVOY_OK)
        status = convoy_predictor_run(predictor, x, 1, y, err);
    double sum = 0;
    for (int i = 0; status == CONVOY_OK && i < classes; i++)
        sum += y[i] = expf(y[i]);
    for (int rank = 0; status == CONVOY_OK && rank < BEST && rank < classes; rank++) {
        int best = 0;
        for (int i = 1; i < classes; i++)
            if (y[i] > y[best])
                best = i;
        printf("%d. %s: %.1f %%\n", rank + 1, convoy_dataset_class_name(data, best), 100 * y[best] / sum);
        y[best] = -1;
    }
    convoy_predictor_destroy(predictor);
    free(y);
    return status;
}

int main(int argc, char **argv)
{
    convoy_error err = {0};
    convoy_context *device = NULL;
    convoy_dataset *train = NULL, *test = NULL;
    convoy_model *model = NULL;
    convoy_metrics metrics;
    const convoy_dataset_options how = {.height = SIDE, .width = SIDE, .channels = CHANNELS, .on_message = tell};
    if (argc != 3) {
        fprintf(stderr, "usage: image_folder FOLDER IMAGE\n");
        return 2;
    }
    if (convoy_context_create(NULL, &device, &err) || convoy_dataset_open_with(argv[1], "train", &how, &train, &err) ||
        convoy_dataset_open_with(argv[1], "test", &how, &test, &err))
        goto done;
    describe(train);
    if (build(train, &model, &err) ||
        convoy_fit(device, model, train, &(convoy_fit_options){.epochs = 20, .batch_size = 4}, NULL, &err) ||
        convoy_evaluate(device, model, test, NULL, &metrics, &err))
        goto done;
    printf("test accuracy %.2f (%zu images)\n", metrics.accuracy, metrics.images);
    tell_class(device, model, train, argv[2], &err);
done:
    if (err.status != CONVOY_OK)
        fprintf(stderr, "%s\n", err.message);
    convoy_model_destroy(model);
    convoy_dataset_destroy(test);
    convoy_dataset_destroy(train);
    convoy_context_destroy(device);
    return err.status != CONVOY_OK;
}

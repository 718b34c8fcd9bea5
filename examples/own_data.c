/* Images that a program makes or has in memory, as a data set: here grey squares with a bright bar, lying or standing.
 *     own_data */
#include <convoy/convoy.h>
#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 512, SIDE = 16, PIXELS = SIDE * SIDE, LYING = 0, STANDING = 1, CLASSES };

/* Any numbers will do; the same each time. */
static unsigned draw(unsigned below)
{
    static unsigned state = 1;
    state = state * 1664525u + 1013904223u;
    return (state >> 16) % below;
}

/* Images are bytes, (count, H, W, C) one after another; labels are numbers from 0 on. */
static void make(unsigned char *images, int *labels)
{
    for (int i = 0; i < COUNT; i++) {
        unsigned char *image = images + i * PIXELS;
        int at = (int)draw(SIDE);
        labels[i] = (int)draw(CLASSES);
        for (int k = 0; k < PIXELS; k++) {
            int place = labels[i] == LYING ? k / SIDE : k % SIDE;
            image[k] = (unsigned char)(draw(100) + (place == at ? 150 : 0));
        }
    }
}

static convoy_status build(convoy_model **model, convoy_error *err)
{
    if (convoy_model_create("bars", model, err) || convoy_model_add(*model, "InputLayer", "shape=(16, 16, 1)", err) ||
        convoy_model_add(*model, "Conv2D", "filters=8, kernel_size=5, activation=relu", err) ||
        convoy_model_add(*model, "GlobalMaxPooling2D", NULL, err) || convoy_model_add(*model, "Dense", "units=2", err))
        return err->status;
    return convoy_model_initialize(*model, 1, err);
}

int main(void)
{
    static const char *const names[] = {"lying", "standing"};
    static unsigned char images[COUNT * PIXELS];
    static int labels[COUNT];
    convoy_error err = {0};
    convoy_context *device = NULL;
    convoy_dataset *all = NULL, *train = NULL, *test = NULL;
    convoy_model *model = NULL;
    convoy_metrics metrics;
    make(images, labels);
    /* The images are copied; slices share what they are made of. `names` may be NULL. */
    if (convoy_dataset_create(images, labels, COUNT, (convoy_shape){3, {SIDE, SIDE, 1}}, CLASSES, names, &all, &err) ||
        convoy_dataset_slice(all, 0, COUNT / 2, &train, &err) || convoy_dataset_slice(all, COUNT / 2, 0, &test, &err) ||
        convoy_context_create(NULL, &device, &err) || build(&model, &err) ||
        convoy_fit(device, model, train, &(convoy_fit_options){.epochs = 30, .learning_rate = 0.01}, NULL, &err) ||
        convoy_evaluate(device, model, test, NULL, &metrics, &err))
        fprintf(stderr, "%s\n", err.message);
    else
        printf("test accuracy %.2f (%zu images)\n", metrics.accuracy, metrics.images);
    convoy_model_destroy(model);
    convoy_dataset_destroy(test);
    convoy_dataset_destroy(train);
    convoy_dataset_destroy(all);
    convoy_context_destroy(device);
    return err.status != CONVOY_OK;
}

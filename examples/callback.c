/* A callback of one's own: it is called after each epoch, prints what it likes, and ends the training when it has seen enough, here
 * at an accuracy. Keras's callbacks, written as text, go on beside it.
 *     callback ACCURACY        writes log.csv */
#include <convoy/convoy.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct watch {
    double enough;
    int epochs;
} watch;

/* Anything but 0 stops the training: convoy_fit then returns CONVOY_ERROR_INTERRUPTED, with the weights so far in the model. */
static int after_epoch(void *user, const convoy_epoch *epoch)
{
    watch *w = user;
    w->epochs = epoch->epoch;
    printf("epoch %d: loss %.3f, accuracy %.3f", epoch->epoch, epoch->train.loss, epoch->train.accuracy);
    if (epoch->has_validation)
        printf("; of images held out %.3f", epoch->validation.accuracy);
    printf("\n");
    /* All metrics by their names, in Keras's order. */
    for (int i = 0; i < epoch->train.count; i++)
        printf("  %s = %g\n", epoch->train.metric[i].name, epoch->train.metric[i].value);
    return epoch->train.accuracy >= w->enough;
}

int main(int argc, char **argv)
{
    static const char *const metrics[] = {"accuracy", "SparseTopKCategoricalAccuracy(k=3, name=top3)", NULL};
    static const char *const callbacks[] = {"CSVLogger(filename=log.csv)", "TerminateOnNaN", NULL};
    convoy_error err = {0};
    convoy_context *device = NULL;
    convoy_dataset *data = NULL;
    convoy_model *model = NULL;
    watch w = {.enough = argc > 1 ? atof(argv[1]) : 0.5};
    const convoy_fit_options how = {
        .epochs = 20,
        .batch_size = 64,
        .optimizer = "adam(learning_rate=0.002)",
        .metrics = metrics,
        .callbacks = callbacks,
        .validation_split = 0.2,
        .on_epoch = after_epoch,
        .user = &w,
    };
    convoy_status status = CONVOY_OK;
    if (convoy_context_create(NULL, &device, &err) || convoy_dataset_open("sample", "train", &data, &err) ||
        convoy_model_load("cifar10", &model, &err) || convoy_model_initialize(model, 1, &err))
        status = err.status;
    else
        status = convoy_fit(device, model, data, &how, NULL, &err);
    if (status == CONVOY_ERROR_INTERRUPTED)
        printf("enough after %d epochs\n", w.epochs);
    else if (status != CONVOY_OK)
        fprintf(stderr, "%s\n", err.message);
    convoy_model_destroy(model);
    convoy_dataset_destroy(data);
    convoy_context_destroy(device);
    return status != CONVOY_OK && status != CONVOY_ERROR_INTERRUPTED;
}

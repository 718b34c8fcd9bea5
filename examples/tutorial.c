/* The network of Keras's CIFAR-10 tutorial, from C: built, trained on the data that ships with Convoy, measured and saved.
 *     tutorial            writes tutorial.keras, which Keras loads too */
#include <convoy/convoy.h>
#include <stdio.h>

/* Functions return 0 or a status; what went wrong is in err.message. So calls can be joined by ||: the first that fails ends them. */
#define ADD(layer, options) convoy_model_add(model, layer, options, &err)

int main(void)
{
    convoy_error err = {0};
    convoy_context *device = NULL;
    convoy_dataset *data = NULL, *test = NULL;
    convoy_model *model = NULL;
    convoy_metrics metrics = {0};
    /* What is not named in a struct of options is 0, which stands for the default. */
    const convoy_fit_options how = {.epochs = 2, .batch_size = 64};
    if (convoy_context_create(NULL, &device, &err) || convoy_dataset_open("sample", "train", &data, &err) ||
        convoy_dataset_open("sample", "test", &test, &err) || convoy_model_create(NULL, &model, &err) ||
        ADD("InputLayer", "shape=(32, 32, 3)") || ADD("Conv2D", "filters=32, kernel_size=3, activation=relu") ||
        ADD("MaxPooling2D", NULL) || ADD("Conv2D", "filters=64, kernel_size=3, activation=relu") || ADD("MaxPooling2D", NULL) ||
        ADD("Conv2D", "filters=128, kernel_size=3, activation=relu") || ADD("Flatten", NULL) ||
        ADD("Dense", "units=64, activation=relu") || ADD("Dense", "units=10") ||
        convoy_model_initialize(model, 1, &err) || convoy_fit(device, model, data, &how, NULL, &err) ||
        convoy_evaluate(device, model, test, NULL, &metrics, &err) || convoy_model_save(model, "tutorial.keras", &err))
        fprintf(stderr, "%s\n", err.message);
    else
        printf("test accuracy %.3f (%zu images)\n", metrics.accuracy, metrics.images);
    /* NULL may be destroyed; the device comes last. */
    convoy_model_destroy(model);
    convoy_dataset_destroy(test);
    convoy_dataset_destroy(data);
    convoy_context_destroy(device);
    return err.status != CONVOY_OK;
}

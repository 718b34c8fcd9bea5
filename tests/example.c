#include <convoy/convoy.h>
#include <stdio.h>

#define ADD(layer, options) convoy_model_add(model, layer, options, &err)

int main(void)
{
    convoy_error err = {0};
    convoy_context *device = NULL;
    convoy_dataset *data = NULL;
    convoy_model *model = NULL;
    if (convoy_context_create(NULL, &device, &err) || convoy_dataset_open("sample", "train", &data, &err) ||
        convoy_model_create(NULL, &model, &err) || ADD("InputLayer", "shape=(32, 32, 3)") ||
        ADD("Conv2D", "filters=32, kernel_size=3, activation=relu") || ADD("MaxPooling2D", NULL) ||
        ADD("Conv2D", "filters=64, kernel_size=3, activation=relu") || ADD("MaxPooling2D", NULL) ||
        ADD("Conv2D", "filters=128, kernel_size=3, activation=relu") || ADD("Flatten", NULL) ||
        ADD("Dense", "units=64, activation=relu") || ADD("Dense", "units=10") ||
        convoy_model_initialize(model, 1, &err) ||
        convoy_fit(device, model, data, &(convoy_fit_options){.epochs = 2, .batch_size = 64}, NULL, &err) ||
        convoy_model_save(model, "tutorial.keras", &err))
        fprintf(stderr, "%s\n", err.message);
    convoy_model_destroy(model);
    convoy_dataset_destroy(data);
    convoy_context_destroy(device);
    return err.status != CONVOY_OK;
}

/* Pickles: what was read is looked at, one level deep, as the reader of CIFAR does. */
#include "data/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    pickle *p = NULL;
    convoy_error err;
    if (pickle_read(bytes, size, &p, &err) != CONVOY_OK)
        return 0;
    volatile uint8_t sum = 0;
    const pickle_value *data = pickle_get(pickle_root(p), "data");
    for (size_t i = 0; data != NULL && i < data->size; i++)
        sum = (uint8_t)(sum + data->bytes[i]);
    for (size_t i = 0; data != NULL && i < data->count; i++)
        sum = (uint8_t)(sum + data->items[i]->kind);
    pickle_free(p);
    return 0;
}

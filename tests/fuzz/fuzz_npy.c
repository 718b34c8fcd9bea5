/* Headers of .npy files, and every value behind them. */
#include "data/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char text[64];
    npy array;
    convoy_error err;
    if (npy_parse(bytes, size, &array, &err) != CONVOY_OK)
        return 0;
    volatile double sum = 0;
    for (size_t i = 0; i < array.count; i++)
        sum = sum + npy_value(&array, i);
    return npy_text(&array, text, sizeof text) == NULL;
}

/* Headers of safetensors files, and every value behind them. */
#include <stdlib.h>

#include "files/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    safetensors_file file;
    convoy_error err;
    if (safetensors_parse(bytes, size, &file, &err) != CONVOY_OK)
        return 0;
    for (size_t i = 0; i < file.count; i++) {
        float *values = malloc((file.entries[i].count + 1) * sizeof *values);
        if (values == NULL)
            abort();
        safetensors_values(&file, &file.entries[i], values);
        free(values);
    }
    safetensors_free(&file);
    return 0;
}

#include <string.h>

#include "base/philox.h"
#include "data/data.h"

static void fill(convoy_dataset *data, size_t count, uint64_t seed)
{
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)}, words[4];
    size_t bytes = count * dataset_image_bytes(data);
    for (size_t at = 0; at < bytes; at += sizeof words) {
        uint32_t counter[4] = {(uint32_t)at, (uint32_t)((uint64_t)at >> 32), 0, 0};
        philox4x32(counter, key, words);
        memcpy(data->images + at, words, bytes - at < sizeof words ? bytes - at : sizeof words);
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t counter[4] = {(uint32_t)i, 0, 1, 0};
        philox4x32(counter, key, words);
        data->labels[i] = (int32_t)(words[0] % (uint32_t)data->classes);
    }
    data->count = count;
}

convoy_status dataset_random(convoy_shape shape, int classes, size_t count, uint64_t seed, convoy_dataset **out,
                             convoy_error *err)
{
    convoy_dataset *data = NULL;
    TRY(dataset_new(shape, classes, NULL, &data, err));
    convoy_status status = dataset_reserve(data, count, err);
    if (status != CONVOY_OK) {
        convoy_dataset_destroy(data);
        return status;
    }
    fill(data, count, seed);
    *out = data;
    return CONVOY_OK;
}

/* PNG and JPEG, to a small RGB picture. */
#include "convoy/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint8_t out[7 * 5 * 3];
    convoy_error err;
    for (int channels = 1; channels <= 3; channels += 2)
        (void)convoy_image_decode(bytes, size, (convoy_shape){3, {7, 5, channels}}, out, &err);
    return 0;
}

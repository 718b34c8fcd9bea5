/* PNG and JPEG, told apart by their content. image_none.c stands in for this, image_png.c, image_jpeg.c and gunzip_zlib.c where libpng,
 * libjpeg or zlib is missing. */
#include "data/image.h"

convoy_status image_supported(convoy_error *err)
{
    (void)err;
    return CONVOY_OK;
}

convoy_status image_decode(const uint8_t *bytes, size_t size, image *out, convoy_error *err)
{
    if (image_is_png(bytes, size))
        return image_decode_png(bytes, size, out, err);
    if (image_is_jpeg(bytes, size))
        return image_decode_jpeg(bytes, size, out, err);
    if (size == 0)
        return base_fail(err, CONVOY_ERROR_FORMAT, "empty; a PNG or JPEG image is expected");
    return base_fail(err, CONVOY_ERROR_FORMAT, "neither a PNG nor a JPEG image");
}

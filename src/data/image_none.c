/* Stands in for image_decode.c, image_png.c, image_jpeg.c and gunzip_zlib.c where libpng, libjpeg or zlib is missing. */
#include "data/gunzip.h"
#include "data/image.h"

convoy_status image_supported(convoy_error *err)
{
    return base_lacks(err, "images need libpng and libjpeg", "libpng-dev, libjpeg62-turbo-dev and zlib1g-dev");
}

convoy_status image_decode(const uint8_t *bytes, size_t size, image *out, convoy_error *err)
{
    (void)bytes, (void)size, (void)out;
    return image_supported(err);
}

convoy_status image_encode_png(const uint8_t *pixels, int height, int width, int channels, text *out, convoy_error *err)
{
    (void)pixels, (void)height, (void)width, (void)channels, (void)out;
    return image_supported(err);
}

convoy_status image_encode_labels(const uint8_t *labels, int height, int width, int classes, text *out, convoy_error *err)
{
    (void)labels, (void)height, (void)width, (void)classes, (void)out;
    return image_supported(err);
}

convoy_status gunzip_unpack(const char *path, const char *packed, size_t packed_size, size_t limit, char **out, size_t *size,
                            convoy_error *err)
{
    (void)packed, (void)packed_size, (void)limit, (void)out, (void)size;
    return base_fail_in(err, base_lacks(err, "unpacking it, which you can do yourself, needs zlib", "zlib1g-dev"), "%s: compressed (gzip)", path);
}

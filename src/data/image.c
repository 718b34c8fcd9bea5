/* From an image file to a network's input. */
#include "data/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "convoy/image.h"

#define FILE_LIMIT ((size_t)1 << 29)
#define MOST_SIDE 65535 /* JPEG's own limit */

void image_free(image *im)
{
    free(im->pixels);
    *im = (image){0};
}

convoy_status image_allocate(image *im, uint64_t height, uint64_t width, int channels, convoy_error *err)
{
    if (height < 1 || width < 1 || height > MOST_SIDE || width > MOST_SIDE ||
        height * width > CONVOY_IMAGE_MOST_PIXELS)
        return base_fail(err, CONVOY_ERROR_FORMAT,
                         "an image of %llu x %llu pixels; at most %d million and %d a side are read",
                         (unsigned long long)width, (unsigned long long)height, CONVOY_IMAGE_MOST_PIXELS / 1000000,
                         MOST_SIDE);
    uint8_t *pixels = malloc((size_t)(height * width) * (size_t)channels);
    if (pixels == NULL)
        return OUT_OF_MEMORY(err);
    free(im->pixels);
    im->pixels = pixels;
    im->height = (int)height;
    im->width = (int)width;
    im->channels = channels;
    return CONVOY_OK;
}

static convoy_status check_shape(const convoy_shape *shape, const void *out, convoy_error *err)
{
    const int *dim = shape->dim;
    int bytes;
    if (out == NULL)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "no place for the image");
    if (shape->rank != 3 || dim[0] < 1 || dim[1] < 1 || (dim[2] != 1 && dim[2] != 3) ||
        __builtin_mul_overflow(dim[0], dim[1], &bytes) || __builtin_mul_overflow(bytes, dim[2], &bytes))
        return base_fail(err, CONVOY_ERROR_ARGUMENT,
                         "an image can't be made to fit the shape (%d, %d, %d) of rank %d; (H, W, 1) or (H, W, 3) is "
                         "expected",
                         dim[0], dim[1], dim[2], shape->rank);
    return CONVOY_OK;
}

convoy_status convoy_image_decode(const void *bytes, size_t size, convoy_shape shape, uint8_t *out, convoy_error *err)
{
    convoy_status status = CONVOY_OK;
    image im = {0};
    TRY(check_shape(&shape, out, err));
    TRY_GOTO(image_decode(bytes, size, &im, err));
    TRY_GOTO(image_turn_upright(&im, err));
    TRY_GOTO(image_set_channels(&im, shape.dim[2], err));
    TRY_GOTO(image_resize(&im, shape.dim[0], shape.dim[1], out, err));
done:
    image_free(&im);
    return status;
}

convoy_status convoy_image_read(const char *path, convoy_shape shape, uint8_t *out, convoy_error *err)
{
    char *bytes = NULL;
    size_t size = 0;
    if (path == NULL || path[0] == '\0')
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "no image file is named");
    TRY(check_shape(&shape, out, err));
    TRY(file_read(path, FILE_LIMIT, &bytes, &size, err));
    convoy_status status = convoy_image_decode(bytes, size, shape, out, err);
    free(bytes);
    return status == CONVOY_OK ? status : base_fail_in(err, status, "%s", path);
}

convoy_status convoy_image_read_scaled(const char *path, convoy_shape shape, double scale, float *out, convoy_error *err)
{
    TRY(check_shape(&shape, out, err));
    size_t count = (size_t)shape.dim[0] * (size_t)shape.dim[1] * (size_t)shape.dim[2];
    float divisor = (float)(scale > 0 ? scale : 255.0);
    uint8_t *bytes = malloc(count);
    if (bytes == NULL)
        return OUT_OF_MEMORY(err);
    convoy_status status = convoy_image_read(path, shape, bytes, err);
    for (size_t i = 0; status == CONVOY_OK && i < count; i++)
        out[i] = (float)bytes[i] / divisor;
    free(bytes);
    return status;
}

convoy_status convoy_image_write_labels(const char *path, const uint8_t *labels, int height, int width, int classes,
                                        convoy_error *err)
{
    text t = {0};
    if (path == NULL || labels == NULL || height < 1 || width < 1)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "no %s", path == NULL ? "file to write" : "labels to write");
    if (classes < 1 || classes > 256)
        return base_fail(err, CONVOY_ERROR_ARGUMENT, "a label image of %d classes; 1 to 256 are possible", classes);
    for (size_t i = 0; i < (size_t)height * (size_t)width; i++)
        if (labels[i] >= classes)
            return base_fail(err, CONVOY_ERROR_ARGUMENT, "pixel %zu of a label image is %d; 0 to %d are expected", i, labels[i],
                             classes - 1);
    convoy_status status = image_encode_labels(labels, height, width, classes, &t, err);
    if (status == CONVOY_OK)
        status = file_write(path, t.data, t.length, err);
    text_free(&t);
    return status;
}

bool convoy_images_supported(void) { return image_supported(NULL) == CONVOY_OK; }

/* EXIF's orientation: a camera held sideways stores a picture that lies. */
#include <stdlib.h>
#include <string.h>

#include "data/image.h"

#define ORIENTATION 0x0112
#define SHORT 3

static unsigned number(const uint8_t *at, int bytes, bool little)
{
    unsigned n = 0;
    for (int i = 0; i < bytes; i++)
        n |= (unsigned)at[i] << (8 * (little ? i : bytes - 1 - i));
    return n;
}

int image_exif_orientation(const uint8_t *bytes, size_t size)
{
    if (size < 8 || (memcmp(bytes, "II", 2) != 0 && memcmp(bytes, "MM", 2) != 0))
        return 0;
    bool little = bytes[0] == 'I';
    size_t at = number(bytes + 4, 4, little);
    if (number(bytes + 2, 2, little) != 42 || at > size || size - at < 2)
        return 0;
    unsigned entries = number(bytes + at, 2, little);
    at += 2;
    for (unsigned i = 0; i < entries && size - at >= 12; i++, at += 12) {
        const uint8_t *entry = bytes + at;
        if (number(entry, 2, little) != ORIENTATION || number(entry + 2, 2, little) != SHORT)
            continue;
        unsigned value = number(entry + 8, 2, little);
        return value >= 1 && value <= 8 ? (int)value : 0;
    }
    return 0;
}

/* 5 to 8 swap the sides: pixel (y, x) of the upright picture is (x, y) of the stored one, before mirroring. */
convoy_status image_turn_upright(image *im, convoy_error *err)
{
    int o = im->orientation;
    if (o < 2 || o > 8)
        return CONVOY_OK;
    bool swap = o >= 5, mirror_x = o == 2 || o == 3 || o == 7 || o == 8, mirror_y = o == 3 || o == 4 || o == 6 || o == 7;
    int height = swap ? im->width : im->height, width = swap ? im->height : im->width;
    size_t c = (size_t)im->channels;
    uint8_t *turned = malloc((size_t)height * (size_t)width * c);
    if (turned == NULL)
        return OUT_OF_MEMORY(err);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int sy = swap ? x : y, sx = swap ? y : x;
            if (mirror_y)
                sy = im->height - 1 - sy;
            if (mirror_x)
                sx = im->width - 1 - sx;
            const uint8_t *from = im->pixels + ((size_t)sy * (size_t)im->width + (size_t)sx) * c;
            memcpy(turned + ((size_t)y * (size_t)width + (size_t)x) * c, from, c);
        }
    free(im->pixels);
    im->pixels = turned;
    im->height = height;
    im->width = width;
    im->orientation = 1;
    return CONVOY_OK;
}

#include "report/map_grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WANTED_WIDTH = 560, GAP_GREY = 128 };

static float value_at(const map_grid *s, int map, int y, int x, int colour)
{
    return s->values[(size_t)map * s->next_map + ((size_t)y * (size_t)s->width + (size_t)x) * s->next +
                     (size_t)colour * s->next_colour];
}

/* Of maps [first, last). */
static void find_range(const map_grid *s, int first, int last, float *least, float *most)
{
    *least = INFINITY;
    *most = -INFINITY;
    for (int map = first; map < last; map++)
        for (int y = 0; y < s->height; y++)
            for (int x = 0; x < s->width; x++)
                for (int c = 0; c < s->colours; c++) {
                    float v = value_at(s, map, y, x, c);
                    *least = v < *least ? v : *least;
                    *most = v > *most ? v : *most;
                }
}

static uint8_t shade(float value, float least, float most)
{
    double part = ((double)value - least) / ((double)most - least);
    return part >= 0 && part <= 1 ? (uint8_t)(255 * part + 0.5) : 0; /* 0 too where there is nothing between, or no number */
}

static int shown(int side, int step) { return (side + step - 1) / step; }

/* A map_grid in pixels. */
typedef struct layout {
    int enlarge, columns, rows;
    int map_width, map_height; /* enlarged */
    int width, height;         /* of all */
} layout;

static void put_map(const map_grid *s, const layout *l, int map, float least, float most, uint8_t *pixels)
{
    int left = map % l->columns * (l->map_width + s->gap), top = map / l->columns * (l->map_height + s->gap);
    for (int y = 0; y < l->map_height; y++)
        for (int x = 0; x < l->map_width; x++)
            for (int c = 0; c < s->colours; c++) {
                float value = value_at(s, map, y / l->enlarge * s->step, x / l->enlarge * s->step, c);
                pixels[((size_t)(top + y) * (size_t)l->width + (size_t)(left + x)) * (size_t)s->colours + (size_t)c] =
                    shade(value, least, most);
            }
}

/* As given, or about twice as wide as high; a number near that which leaves no place empty is better. */
static int choose_columns(const map_grid *s, int width, int height)
{
    int columns = s->columns > 0 ? s->columns : (int)lround(sqrt(2.0 * s->count * (height + s->gap) / (width + s->gap)));
    int most = WANTED_WIDTH / (width + s->gap);
    columns = columns > most ? most : columns;
    columns = columns > s->count ? s->count : columns;
    columns = columns < 1 ? 1 : columns;
    for (int fewer = columns; s->columns == 0 && fewer > 0 && 3 * fewer >= 2 * columns; fewer--)
        if (s->count % fewer == 0)
            return fewer;
    return columns;
}

static layout lay_out(const map_grid *s)
{
    int width = shown(s->width, s->step), height = shown(s->height, s->step);
    layout l = {.columns = choose_columns(s, width, height)};
    l.rows = (s->count + l.columns - 1) / l.columns;
    l.enlarge = (WANTED_WIDTH - s->gap * l.columns) / (width * l.columns);
    l.enlarge = l.enlarge > s->most_enlarge ? s->most_enlarge : l.enlarge < 1 ? 1 : l.enlarge;
    l.map_width = width * l.enlarge;
    l.map_height = height * l.enlarge;
    l.width = l.columns * (l.map_width + s->gap) - s->gap;
    l.height = l.rows * (l.map_height + s->gap) - s->gap;
    return l;
}

convoy_status map_grid_draw(const map_grid *s, picture *out, convoy_error *err)
{
    const layout l = lay_out(s);
    size_t bytes = (size_t)l.width * (size_t)l.height * (size_t)s->colours;
    float least = 0, most = 0;
    uint8_t *pixels = malloc(bytes);
    if (pixels == NULL)
        return OUT_OF_MEMORY(err);
    memset(pixels, GAP_GREY, bytes);
    if (s->one_range)
        find_range(s, 0, s->count, &least, &most);
    for (int k = 0; k < s->count; k++) {
        if (!s->one_range)
            find_range(s, k, k + 1, &least, &most);
        put_map(s, &l, k, least, most, pixels);
    }
    convoy_status status = picture_of_pixels(pixels, l.width, l.height, s->colours, 1, out, err);
    free(pixels);
    return status;
}

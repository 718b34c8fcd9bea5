#include "plan/arena.h"

#include <stdbool.h>
#include <stdlib.h>

static bool live_together(const arena_tensor *a, const arena_tensor *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static int by_size(const void *a, const void *b)
{
    const arena_tensor *x = *(const arena_tensor *const *)a, *y = *(const arena_tensor *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y; /* a fixed order: same model, same plan */
}

/* The lowest offset at which `t` meets none of the placed ones that live together with it. */
static size_t lowest_offset(const arena_tensor *t, arena_tensor *const *placed, size_t count, size_t alignment)
{
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < count; i++) {
            const arena_tensor *p = placed[i];
            bool overlap = offset < p->offset + p->bytes && p->offset < offset + t->bytes;
            if (overlap && live_together(t, p)) {
                offset = arena_round_up(p->offset + p->bytes, alignment);
                moved = true;
            }
        }
    }
    return offset;
}

static size_t fullest(arena_tensor *const *placed, size_t count)
{
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        size_t live = 0;
        for (size_t j = 0; j < count; j++)
            if (placed[j]->first <= placed[i]->first && placed[i]->first <= placed[j]->last)
                live += placed[j]->bytes;
        most = live > most ? live : most;
    }
    return most;
}

/* Largest first: what is placed later fits into the gaps. */
convoy_status arena_place(arena_tensor *tensors, size_t count, size_t alignment, size_t *bytes, size_t *least,
                          convoy_error *err)
{
    arena_tensor **order = malloc((count + 1) * sizeof(*order));
    if (order == NULL)
        return OUT_OF_MEMORY(err);
    size_t wanted = 0;
    for (size_t i = 0; i < count; i++)
        if (tensors[i].bytes > 0)
            order[wanted++] = &tensors[i];
    qsort(order, wanted, sizeof(*order), by_size);
    *bytes = 0;
    for (size_t i = 0; i < wanted; i++) {
        order[i]->offset = lowest_offset(order[i], order, i, alignment);
        size_t end = arena_round_up(order[i]->offset + order[i]->bytes, alignment);
        *bytes = end > *bytes ? end : *bytes;
    }
    *least = fullest(order, wanted);
    free(order);
    return CONVOY_OK;
}

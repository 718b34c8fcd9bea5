#include "train/feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/philox.h"
#include "data/data.h"
#include "ops/elementwise.h"

enum { SLOTS = 2 };

/* One of the two places that streamed batches go to in turn. */
typedef struct slot {
    rt_buffer *images, *labels;
    uint8_t *host_images;
    int32_t *host_labels;
    rt_event *sent;   /* the copy to the device */
    rt_event *used;   /* the step that reads the slot */
    size_t first;     /* the batch in it */
    int batch;        /* 0: none */
} slot;

struct feed {
    convoy_context *ctx;
    const convoy_dataset *data;
    size_t count, row; /* row: values of an image */
    size_t row_bytes;
    int batch, current;
    bool streamed;
    int32_t *order;              /* host */
    rt_buffer *order_buffer;     /* resident: the whole order; streamed: 0, 1, 2 ... */
    rt_buffer *batch_labels;
    rt_buffer *images, *labels;  /* resident */
    slot slots[SLOTS];
    const rt_buffer *switched_images[SLOTS], *switched_labels[SLOTS];
};

static size_t rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* Images that stand one after another go in one piece. */
static convoy_status write_images(feed *f, convoy_error *err)
{
    for (size_t first = 0, next; first < f->count; first = next) {
        const uint8_t *from = dataset_image(f->data, first);
        for (next = first + 1; next < f->count && dataset_image(f->data, next) == from + (next - first) * f->row_bytes; next++)
            ;
        TRY(rt_buffer_write(f->images, first * f->row_bytes, from, (next - first) * f->row_bytes, err));
    }
    return CONVOY_OK;
}

static convoy_status create_resident(feed *f, convoy_error *err)
{
    TRY(rt_buffer_create(f->ctx, rounded(f->count * f->row_bytes), "data set", &f->images, err));
    TRY(rt_buffer_create(f->ctx, f->count * sizeof(int32_t), "labels", &f->labels, err));
    TRY(rt_buffer_create(f->ctx, f->count * sizeof(int32_t), "order of rows", &f->order_buffer, err));
    TRY(write_images(f, err));
    TRY(rt_buffer_write(f->labels, 0, convoy_dataset_labels(f->data), f->count * sizeof(int32_t), err));
    for (int i = 0; i < SLOTS; i++) {
        f->switched_images[i] = f->images;
        f->switched_labels[i] = f->labels;
    }
    return CONVOY_OK;
}

static void destroy_resident(feed *f)
{
    rt_buffer_destroy(f->images);
    rt_buffer_destroy(f->labels);
    rt_buffer_destroy(f->order_buffer);
    f->images = f->labels = f->order_buffer = NULL;
}

static convoy_status create_slots(feed *f, convoy_error *err)
{
    size_t batch = (size_t)f->batch;
    for (int i = 0; i < SLOTS; i++) {
        slot *s = &f->slots[i];
        s->host_images = malloc(batch * f->row_bytes);
        s->host_labels = malloc(batch * sizeof(int32_t));
        if (s->host_images == NULL || s->host_labels == NULL)
            return OUT_OF_MEMORY(err);
        TRY(rt_buffer_create(f->ctx, rounded(batch * f->row_bytes), "streamed images", &s->images, err));
        TRY(rt_buffer_create(f->ctx, batch * sizeof(int32_t), "streamed labels", &s->labels, err));
        f->switched_images[i] = s->images;
        f->switched_labels[i] = s->labels;
    }
    TRY(rt_buffer_create(f->ctx, batch * sizeof(int32_t), "order of rows", &f->order_buffer, err));
    return rt_buffer_write(f->order_buffer, 0, f->order, batch * sizeof(int32_t), err); /* still 0, 1, 2 ... */
}

static convoy_status create_buffers(feed *f, bool stream, convoy_error *err)
{
    TRY(rt_buffer_create(f->ctx, (size_t)f->batch * sizeof(int32_t), "labels of a batch", &f->batch_labels, err));
    if (!stream) {
        convoy_status status = create_resident(f, err);
        if (status != CONVOY_ERROR_DEVICE_MEMORY)
            return status;
        destroy_resident(f);
    }
    f->streamed = true;
    return create_slots(f, err);
}

convoy_status feed_create(convoy_context *ctx, const convoy_dataset *data, int batch, bool stream, feed **out,
                          convoy_error *err)
{
    convoy_status status;
    feed *f = calloc(1, sizeof *f);
    if (f == NULL)
        return OUT_OF_MEMORY(err);
    f->ctx = ctx;
    f->data = data;
    f->count = convoy_dataset_count(data);
    f->row = dataset_image_values(data);
    f->row_bytes = dataset_image_bytes(data);
    f->batch = batch;
    size_t order_count = f->count > (size_t)batch ? f->count : (size_t)batch;
    f->order = malloc(order_count * sizeof *f->order);
    if (f->order == NULL)
        TRY_GOTO(OUT_OF_MEMORY(err));
    for (size_t i = 0; i < order_count; i++)
        f->order[i] = (int32_t)i;
    TRY_GOTO(create_buffers(f, stream, err));
    TRY_GOTO(feed_unshuffle(f, err));
    *out = f;
    return CONVOY_OK;
done:
    feed_destroy(f);
    return status;
}

void feed_destroy(feed *f)
{
    if (f == NULL)
        return;
    if (f->streamed)
        rt_settle(f->ctx); /* copies may still read the host's slots */
    destroy_resident(f);
    rt_buffer_destroy(f->batch_labels);
    for (int i = 0; i < SLOTS; i++) {
        rt_event_destroy(f->slots[i].sent);
        rt_event_destroy(f->slots[i].used);
        rt_buffer_destroy(f->slots[i].images);
        rt_buffer_destroy(f->slots[i].labels);
        free(f->slots[i].host_images);
        free(f->slots[i].host_labels);
    }
    free(f->order);
    free(f);
}

bool feed_is_streamed(const feed *f) { return f->streamed; }
const rt_buffer *feed_labels(const feed *f) { return f->batch_labels; }

size_t feed_data_bytes(const feed *f)
{
    size_t rows = f->streamed ? SLOTS * (size_t)f->batch : f->count;
    return rows * (f->row_bytes + sizeof(int32_t));
}

convoy_status feed_add(feed *f, rt_list *list, const rt_buffer *x, double scale, convoy_error *err)
{
    char options[96];
    int chunk = 16, chunks = (int)((f->row + 15) / 16);
    snprintf(options, sizeof options, "-DROW=%zu -DSCALE=%.9ef -DCHUNK=%d%s", f->row, scale, chunk,
             f->data->floats ? " -DPIXEL=float" : "");
    rt_launch launch = {.label = "gather", .source = "gather", .kernel = "gather", .options = options};
    rt_push(&launch, RT_SWITCHED(f->switched_images));
    rt_push(&launch, RT_SWITCHED(f->switched_labels));
    rt_push(&launch, RT_BUFFER(f->order_buffer));
    rt_push(&launch, RT_VARIABLE(RT_VAR_FIRST));
    rt_push(&launch, RT_BUFFER(x));
    rt_push(&launch, RT_BUFFER(f->batch_labels));
    rt_push(&launch, RT_BATCH(chunks));
    ops_range(&launch, f->ctx, (size_t)chunks, 0, 1);
    launch.bytes_per_image = (double)f->row_bytes + 4.0 * (double)f->row;
    return rt_list_add(list, &launch, err);
}

/* ---- order ---- */

static convoy_status send_order(feed *f, convoy_error *err)
{
    for (int i = 0; i < SLOTS; i++)
        f->slots[i].batch = 0; /* what was prefetched follows the old order */
    if (f->streamed)
        return CONVOY_OK;
    return rt_buffer_write(f->order_buffer, 0, f->order, f->count * sizeof(int32_t), err);
}

convoy_status feed_shuffle(feed *f, uint64_t seed, uint32_t epoch, convoy_error *err)
{
    philox_permutation(seed, epoch, f->order, f->count);
    return send_order(f, err);
}

convoy_status feed_unshuffle(feed *f, convoy_error *err)
{
    for (size_t i = 0; i < f->count; i++)
        f->order[i] = (int32_t)i;
    return send_order(f, err);
}

const int32_t *feed_order(const feed *f) { return f->order; }

/* ---- streaming ---- */

static void pack(const feed *f, slot *s)
{
    const int32_t *labels = convoy_dataset_labels(f->data);
    dataset_expect(f->data, f->order + s->first, (size_t)s->batch); /* the disk reads all of them at once */
    for (int i = 0; i < s->batch; i++) {
        size_t row = (size_t)f->order[s->first + (size_t)i];
        memcpy(s->host_images + (size_t)i * f->row_bytes, dataset_image(f->data, row), f->row_bytes);
        s->host_labels[i] = labels[row];
    }
}

/* Fills a slot: waits until its last copy has left the host, packs, and sends once the device is done with the old batch. */
static convoy_status fill(feed *f, slot *s, size_t first, int batch, convoy_error *err)
{
    rt_event *images_sent = NULL;
    if (s->sent)
        TRY(rt_event_wait(f->ctx, s->sent, err));
    rt_event_destroy(s->sent);
    s->sent = NULL;
    s->first = first;
    s->batch = batch;
    pack(f, s);
    TRY(rt_buffer_write_async(s->images, s->host_images, (size_t)batch * f->row_bytes, s->used, &images_sent, err));
    rt_event_destroy(images_sent); /* the labels' copy comes after it in the same queue */
    TRY(rt_buffer_write_async(s->labels, s->host_labels, (size_t)batch * sizeof(int32_t), s->used, &s->sent, err));
    return CONVOY_OK;
}

convoy_status feed_begin(feed *f, rt_list *list, size_t first, int batch, convoy_error *err)
{
    if (!f->streamed) {
        return rt_list_set_int(list, RT_VAR_FIRST, (int)first, err);
    }
    f->current = f->slots[1].batch == batch && f->slots[1].first == first ? 1 : 0;
    slot *s = &f->slots[f->current];
    if (s->batch != batch || s->first != first)
        TRY(fill(f, s, first, batch, err));
    TRY(rt_list_set_int(list, RT_VAR_FIRST, 0, err));
    TRY(rt_list_switch(list, f->current, err));
    return rt_barrier(f->ctx, s->sent, err);
}

convoy_status feed_end(feed *f, convoy_error *err)
{
    if (!f->streamed)
        return CONVOY_OK;
    slot *s = &f->slots[f->current];
    rt_event_destroy(s->used);
    s->used = NULL;
    return rt_marker(f->ctx, &s->used, err);
}

convoy_status feed_prefetch(feed *f, size_t first, int batch, convoy_error *err)
{
    return f->streamed ? fill(f, &f->slots[1 - f->current], first, batch, err) : CONVOY_OK;
}

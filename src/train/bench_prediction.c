/* What bench measures of predictions: images resident on the device, gathered there; no loss; outputs stay there. */
#include "plan/plan.h"
#include "train/bench.h"
#include "train/feed.h"

typedef struct prediction {
    bench *b;
    plan *plan;
    feed *feed;
    size_t batches; /* in the data */
} prediction;

static convoy_status write_pass(void *user, rt_list *list, convoy_error *err)
{
    const prediction *p = user;
    TRY(feed_add(p->feed, list, plan_input(p->plan), 255.0, err));
    TRY(plan_add_forward(p->plan, err));
    return rt_list_fuse(list, 0, rt_list_length(list), err);
}

static convoy_status setup(prediction *p, convoy_error *err)
{
    plan_options options = {.batch = p->b->options.batch_size};
    TRY(plan_create(p->b->ctx, p->b->model, &options, &p->plan, err));
    TRY(feed_create(p->b->ctx, p->b->data, options.batch, false, &p->feed, err));
    TRY(rt_list_compile(plan_list(p->plan), write_pass, p, err));
    return rt_list_set_batch(plan_list(p->plan), options.batch, err);
}

static convoy_status play(void *user, size_t i, convoy_error *err)
{
    prediction *p = user;
    rt_list *list = plan_list(p->plan);
    int batch = p->b->options.batch_size;
    TRY(feed_begin(p->feed, list, i % p->batches * (size_t)batch, batch, err));
    TRY(rt_list_play(list, 0, rt_list_length(list), err));
    return feed_end(p->feed, err);
}

static convoy_status measure(prediction *p, convoy_error *err)
{
    const bench *b = p->b;
    int batches = (int)p->batches > b->options.steps ? (int)p->batches : b->options.steps;
    TRY(bench_progress(b, "building the prediction", 0, 1, err));
    TRY(setup(p, err));
    TRY(bench_rate(b, "prediction", batches, play, p, &b->result->prediction, err));
    b->result->prediction_images = (size_t)batches * (size_t)b->options.batch_size;
    return CONVOY_OK;
}

convoy_status bench_prediction(bench *b, convoy_error *err)
{
    prediction p = {.b = b, .batches = convoy_dataset_count(b->data) / (size_t)b->options.batch_size};
    convoy_status status = measure(&p, err);
    rt_settle(b->ctx);
    feed_destroy(p.feed);
    plan_destroy(p.plan);
    return status;
}

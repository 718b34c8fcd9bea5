#include "runtime/rivals.h"

static const double watched = 0.4, tried = 0.06;   /* seconds of a block */
static const double least_patience = 2, most_patience = 60, quiet_patience = 20;
static const double accepted_loss = 0.02;           /* of the time: what trials of slower ways may cost */
static const double gain = 0.97;                    /* another way must need at most so much of the time */
enum { ROUNDS = 2 };                                /* of a trial: each way twice, since loads come and go */

void rivals_begin(rivals *r, int count, int best, double now)
{
    *r = (rivals){.count = count, .way = best, .best = best, .start = now, .compared = now, .patience = least_patience / 2};
}

bool rivals_due(const rivals *r, double now)
{
    bool first = !r->known[r->way];
    return r->pieces > 0 && (first || now - r->start >= (r->step ? tried : watched));
}

static void begin_block(rivals *r, int way, double now)
{
    r->way = way;
    r->pieces = 0;
    r->start = now;
}

/* The others first, the best one last. */
static int way_of(const rivals *r, int step) { return (r->best + step) % r->count; }

static void begin_trial(rivals *r, double now)
{
    for (int i = 0; i < r->count; i++)
        r->sum[i] = 0;
    r->step = 1;
    begin_block(r, way_of(r, 1), now);
}

/* What the others cost more than the best, which sets how soon it may happen again. */
static void end_trial(rivals *r, double now)
{
    int best = r->best;
    double loss = 0;
    for (int i = 0; i < r->count; i++)
        if (r->sum[i] < (best == r->best ? gain : 1) * r->sum[best])
            best = i;
    for (int i = 0; i < r->count; i++)
        loss += ROUNDS * tried * (1 - r->sum[best] / r->sum[i]);
    r->patience = best != r->best ? least_patience : 2 * r->patience < most_patience ? 2 * r->patience : most_patience;
    if (r->patience < loss / accepted_loss)
        r->patience = loss / accepted_loss;
    r->best = best;
    r->reference = r->sum[best] / ROUNDS;
    r->compared = now;
    r->changed = r->step = 0;
    begin_block(r, best, now);
}

static void next_of_trial(rivals *r, double piece, double now)
{
    r->sum[r->way] += piece;
    if (r->step == ROUNDS * r->count)
        end_trial(r, now);
    else
        begin_block(r, way_of(r, ++r->step), now);
}

/* A load that came or went shows in the times before the patience is over. */
static bool wants_trial(rivals *r, double piece, double now, bool quiet)
{
    if (r->reference == 0)
        r->reference = piece;
    bool changed = piece > 1.15 * r->reference || piece < 0.87 * r->reference;
    r->changed = changed ? r->changed + 1 : 0;
    r->loud = quiet ? 0 : r->loud + 1;
    double patience = r->loud < 2 && r->patience < quiet_patience ? quiet_patience : r->patience;
    if (r->changed >= 2 && r->loud >= 2 && patience > least_patience)
        patience = least_patience;
    return now - r->compared >= patience;
}

void rivals_next(rivals *r, double now, bool quiet)
{
    double piece = (now - r->start) / r->pieces;
    if (!r->known[r->way]) { /* what was not compiled is now: timed anew */
        r->known[r->way] = true;
        begin_block(r, r->way, now);
    } else if (r->step > 0) {
        next_of_trial(r, piece, now);
    } else if (wants_trial(r, piece, now, quiet)) {
        begin_trial(r, now);
    } else {
        begin_block(r, r->best, now);
    }
}

void rivals_drop(rivals *r, double now)
{
    r->step = 0;
    begin_block(r, r->best, now);
}

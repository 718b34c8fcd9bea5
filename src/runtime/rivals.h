/* Which of several ways of doing the same work is the fastest now, told by their times, while the load of the machine changes. Knows
 * nothing of OpenCL: who does the work calls in between. Work comes in pieces of like size; a block is as many of them as take long
 * enough to be timed. Mostly the blocks are of the best way; now and then, in a trial, each way has some in turn. */
#ifndef RUNTIME_RIVALS_H
#define RUNTIME_RIVALS_H

#include <stdbool.h>

enum { RIVALS_MOST = 3 };

typedef struct rivals {
    int count, way;                /* how many ways there are; that of this block, for each of its pieces */
    int pieces;                    /* of this block, so far: the caller counts */
    /* Its own: */
    int best, step;                /* step of the trial, 0: none */
    int changed, loud;             /* blocks in a row that took another time than they should, and that were not quiet */
    double start, reference;       /* of this block; seconds of a piece of the best way, when they were compared last */
    double compared, patience;     /* when that was; seconds until the next trial */
    double sum[RIVALS_MOST];       /* of a trial: seconds of a piece */
    bool known[RIVALS_MOST];       /* the way was taken before: a first piece may have to compile */
} rivals;

/* `best`: what to begin with. Times are in seconds, of a clock that only goes forward. */
void rivals_begin(rivals *r, int count, int best, double now);
/* Has this block its length? Then the caller waits until its pieces are done and calls rivals_next. */
bool rivals_due(const rivals *r, double now);
/* The block is done; the next one begins. `quiet`: nothing speaks for another way, say because no other program runs. */
void rivals_next(rivals *r, double now, bool quiet);
/* Something else was done meanwhile: the block begins anew, and so does a trial. */
void rivals_drop(rivals *r, double now);

#endif

/* Keeps the host a little ahead of the device, not more: queues that grow without end run out of memory. */
#ifndef PACE_H
#define PACE_H

#include "runtime/runtime.h"

typedef struct pace {
    convoy_context *ctx;
    rt_event *older, *newer;
    unsigned steps;
    double last_report;
} pace;

/* After each step. */
convoy_status pace_step(pace *p, convoy_error *err);
/* True when `interval` seconds have gone by since it was last true. */
bool pace_report_due(pace *p, double interval);
void pace_end(pace *p);

#endif

#include "train/pace.h"

#include "base/clock.h"

enum { STEPS_A_MARK = 8 };

convoy_status pace_step(pace *p, convoy_error *err)
{
    if (++p->steps % STEPS_A_MARK != 0)
        return CONVOY_OK;
    if (p->older)
        TRY(rt_event_wait(p->ctx, p->older, err));
    rt_event_destroy(p->older);
    p->older = p->newer;
    p->newer = NULL;
    return rt_marker(p->ctx, &p->newer, err);
}

bool pace_report_due(pace *p, double interval)
{
    double now = clock_seconds();
    if (now - p->last_report < interval)
        return false;
    p->last_report = now;
    return true;
}

void pace_end(pace *p)
{
    rt_event_destroy(p->older);
    rt_event_destroy(p->newer);
    p->older = p->newer = NULL;
}

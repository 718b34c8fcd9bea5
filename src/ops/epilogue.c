#include "ops/epilogue.h"

#include <stdio.h>
#include <string.h>

void epilogue_append(const epilogue *e, rt_launch *launch, char *options, size_t size)
{
    const epilogue_pool *pool = e->pool;
    size_t used = strlen(options);
    if (e->addend)
        rt_push(launch, RT_BUFFER(e->addend));
    if (e->act && e->outputs)
        rt_push(launch, RT_BUFFER(e->outputs));
    if (pool && pool->keeps_places)
        rt_push(launch, RT_BUFFER(e->places));
    used += (size_t)snprintf(options + used, size - used, "%s%s", e->addend ? " -DADDEND=1" : "",
                             e->act && e->outputs ? " -DTAKES_SLOPE=1" : "");
    if (e->act)
        used += (size_t)snprintf(options + used, size - used, ACTIVATION_OPTIONS, e->act->name, e->act->name);
    if (pool)
        snprintf(options + used, size - used, " -DPH=%d -DPW=%d -DPSH=%d -DPSW=%d -DPOH=%d -DPOW=%d -DPLACES=%d", pool->size[0],
                 pool->size[1], pool->step[0], pool->step[1], pool->out_height, pool->out_width, pool->keeps_places);
}

void epilogue_pool_covers(const epilogue_pool *pool, int *height, int *width)
{
    *height = (pool->out_height - 1) * pool->step[0] + pool->size[0];
    *width = (pool->out_width - 1) * pool->step[1] + pool->size[1];
}

/* One context for a program's tests, which must leave nothing behind. Each test is a program of its own, so all is static. */
#ifndef CONTEXT_HELP_H
#define CONTEXT_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "convoy/convoy.h"
#include "runtime/internal.h"

static convoy_context *ctx;

static inline int make_context(void **state)
{
    convoy_error err = {0};
    (void)state;
    if (convoy_context_create(NULL, &ctx, &err) == CONVOY_OK)
        return 0;
    print_error("%s\n", err.message);
    return -1;
}

static inline int drop_context(void **state)
{
    (void)state;
    rt_programs_destroy(ctx);
    assert_int_equal(convoy_context_counters(ctx).live_objects, 0);
    assert_int_equal(convoy_context_counters(ctx).bytes, 0);
    convoy_context_destroy(ctx);
    return 0;
}

#endif

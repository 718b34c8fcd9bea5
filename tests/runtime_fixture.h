/* What test_buffers.c and test_runtime.c share: one device for the program, and a count of what tests leave behind. */
#ifndef RUNTIME_FIXTURE_H
#define RUNTIME_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "runtime/internal.h"

#include "assert_ok.h"

static convoy_context *ctx;

/* The call is refused with this status, and the message has this part. */
#define REFUSED(call, expected, part)                                                                                  \
    do {                                                                                                               \
        convoy_error err_ = {0}, *err = &err_;                                                                         \
        assert_int_equal((call), (expected));                                                                          \
        assert_int_equal(err_.status, (expected));                                                                     \
        if (strstr(err_.message, (part)) == NULL)                                                                      \
            fail_msg("expected '%s' in: %s", (part), err_.message);                                                    \
    } while (0)

static inline rt_buffer *make(size_t bytes)
{
    rt_buffer *buffer = NULL;
    OK(rt_buffer_create(ctx, bytes, "test", &buffer, err));
    return buffer;
}

static inline rt_list *make_list(int batch)
{
    rt_list *list = NULL;
    OK(rt_list_create(ctx, batch, &list, err));
    return list;
}

/* After every test: it released all that it made. Programs are the context's own, kept for the next user. */
static inline int expect_none_live(void **state)
{
    (void)state;
    rt_programs_destroy(ctx);
    convoy_counters c = convoy_context_counters(ctx);
    if (c.live_objects != 0 || c.bytes != 0)
        print_error("%llu objects and %llu bytes are left\n", (unsigned long long)c.live_objects,
                    (unsigned long long)c.bytes);
    return c.live_objects == 0 && c.bytes == 0 ? 0 : -1;
}

/* Of the processes that compile for this one. */
static inline void expect_no_process(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static inline int open_device(void **state)
{
    (void)state;
    convoy_error err = {0};
    if (convoy_context_create(NULL, &ctx, &err) == CONVOY_OK)
        return 0;
    print_error("%s\n", err.message);
    return -1;
}

static inline int close_device(void **state)
{
    (void)state;
    convoy_context_destroy(ctx);
    convoy_context_destroy(NULL);
    return 0;
}

#define TEST(f) cmocka_unit_test_teardown(f, expect_none_live)

#endif

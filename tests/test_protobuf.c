/* The writer of protocol buffers, against the examples of the format's description and of its rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/protobuf.h"

#define ASSERT_BYTES(text_, ...)                                                                                       \
    do {                                                                                                               \
        const unsigned char expected_[] = {__VA_ARGS__};                                                               \
        assert_false((text_).failed);                                                                                  \
        assert_int_equal((text_).length, sizeof expected_);                                                            \
        assert_memory_equal((text_).data, expected_, sizeof expected_);                                                \
        text_free(&(text_));                                                                                           \
    } while (0)

static void test_numbers(void **state)
{
    text t = {0};
    (void)state;
    proto_number(&t, 1, 150);
    ASSERT_BYTES(t, 0x08, 0x96, 0x01);
    proto_number(&t, 1, 0);
    proto_number(&t, 16, 127);
    proto_number(&t, 2, 128);
    ASSERT_BYTES(t, 0x08, 0x00, 0x80, 0x01, 0x7f, 0x10, 0x80, 0x01);
    proto_number(&t, 1, (uint64_t)-2);
    ASSERT_BYTES(t, 0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
}

static void test_fixed_sizes(void **state)
{
    const float values[] = {1, -2};
    text t = {0};
    (void)state;
    proto_float(&t, 2, 1.5f);
    ASSERT_BYTES(t, 0x15, 0x00, 0x00, 0xc0, 0x3f);
    proto_key(&t, 1, PROTO_FIXED64);
    proto_double(&t, 1);
    ASSERT_BYTES(t, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f);
    proto_floats(&t, values, 2);
    ASSERT_BYTES(t, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0);
    proto_little(&t, 0x0102, 2);
    ASSERT_BYTES(t, 0x02, 0x01);
}

static void test_messages(void **state)
{
    text t = {0}, inner = {0}, empty = {0};
    (void)state;
    proto_string(&t, 2, "testing");
    ASSERT_BYTES(t, 0x12, 0x07, 't', 'e', 's', 't', 'i', 'n', 'g');
    proto_number(&inner, 1, 150);
    proto_message(&t, 3, &inner);
    proto_message(&t, 1, &empty);
    assert_null(inner.data);
    ASSERT_BYTES(t, 0x1a, 0x03, 0x08, 0x96, 0x01, 0x0a, 0x00);
}

/* A part that could not be made spoils the whole. */
static void test_failures(void **state)
{
    text t = {0}, inner = {.failed = true};
    (void)state;
    proto_message(&t, 3, &inner);
    assert_true(t.failed);
    text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_fixed_sizes),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What tests say of calls that must succeed. */
#ifndef ASSERT_OK_H
#define ASSERT_OK_H

/* `call` may name `&err`, a convoy_error of its own; needs cmocka.h in front. */
#define ASSERT_OK(call)                                                                                                \
    do {                                                                                                               \
        convoy_error err = {0};                                                                                        \
        if ((call) != CONVOY_OK)                                                                                       \
            fail_msg("%s", err.message);                                                                               \
    } while (0)

/* The same, named as it stands in the test; `call` may name `err`, a pointer to one. */
#define OK(call)                                                                                                       \
    do {                                                                                                               \
        convoy_error err_ = {0}, *err = &err_;                                                                         \
        if ((call) != CONVOY_OK)                                                                                       \
            fail_msg("%s: %s", #call, err_.message);                                                                   \
    } while (0)

#endif

/* Devices that fail, or never end: calls of OpenCL that this program defines itself, in front of the loader's. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "runtime_fixture.h"

static bool refuse_args;             /* clSetKernelArg fails */
static bool refuse_release;          /* clReleaseKernel does its work, and says that it failed */
static cl_int event_status;          /* CL_RUNNING: no event ends; negative: what was enqueued has failed */
static double slow;                  /* seconds that clFinish takes */
static int looks;                    /* questions about an event */
static int finishes;                 /* calls of clFinish */

#define REAL(name) (*(void **)&real = dlsym(RTLD_NEXT, #name))

CL_API_ENTRY cl_int CL_API_CALL clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size, const void *value)
{
    static cl_int(CL_API_CALL *real)(cl_kernel, cl_uint, size_t, const void *);
    REAL(clSetKernelArg);
    return refuse_args ? CL_OUT_OF_HOST_MEMORY : real(kernel, index, size, value);
}

CL_API_ENTRY cl_int CL_API_CALL clReleaseKernel(cl_kernel kernel)
{
    static cl_int(CL_API_CALL *real)(cl_kernel);
    REAL(clReleaseKernel);
    cl_int code = real(kernel);
    return refuse_release ? CL_OUT_OF_RESOURCES : code;
}

CL_API_ENTRY cl_int CL_API_CALL clGetEventInfo(cl_event event, cl_event_info what, size_t size, void *out, size_t *size_out)
{
    static cl_int(CL_API_CALL *real)(cl_event, cl_event_info, size_t, void *, size_t *);
    REAL(clGetEventInfo);
    cl_int code = real(event, what, size, out, size_out);
    looks++;
    if (what == CL_EVENT_COMMAND_EXECUTION_STATUS && event_status != CL_COMPLETE)
        *(cl_int *)out = event_status;
    return code;
}

CL_API_ENTRY cl_int CL_API_CALL clWaitForEvents(cl_uint count, const cl_event *events)
{
    static cl_int(CL_API_CALL *real)(cl_uint, const cl_event *);
    REAL(clWaitForEvents);
    return event_status < 0 ? CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST : real(count, events);
}

CL_API_ENTRY cl_int CL_API_CALL clFinish(cl_command_queue queue)
{
    static cl_int(CL_API_CALL *real)(cl_command_queue);
    REAL(clFinish);
    finishes++;
    struct timespec pause = {.tv_sec = (time_t)slow, .tv_nsec = (long)(fmod(slow, 1.0) * 1e9)};
    nanosleep(&pause, NULL);
    return real(queue);
}

enum { LENGTH = 64, LAUNCHES = 2 };

typedef struct fixture {
    rt_buffer *from, *to;
    const rt_buffer *pair[2];
    rt_list *list;
} fixture;

/* to = variable - from, twice. */
static void begin(fixture *f)
{
    static const char *const labels[LAUNCHES] = {"negating", "doing it again"};
    *f = (fixture){.from = make(LENGTH * sizeof(float)), .to = make(LENGTH * sizeof(float)), .list = make_list(1)};
    f->pair[0] = f->pair[1] = f->from;
    for (int i = 0; i < LAUNCHES; i++) {
        rt_launch l = {.label = labels[i], .source = "selftest_items", .kernel = "negate", .global = {RT_FIXED(LENGTH)}};
        rt_push(&l, RT_SWITCHED(f->pair));
        rt_push(&l, RT_BUFFER(f->to));
        rt_push(&l, RT_VARIABLE(RT_VAR_RATE));
        rt_push(&l, RT_INT(LENGTH));
        OK(rt_list_add(f->list, &l, err));
    }
    OK(rt_list_fuse(f->list, 0, LAUNCHES, err));
}

static void end(fixture *f)
{
    rt_list_destroy(f->list);
    rt_buffer_destroy(f->from);
    rt_buffer_destroy(f->to);
}

/* An argument that could not be set is an error, not the value of the play before. */
static void test_arguments(void **state)
{
    fixture f;
    (void)state;
    begin(&f);
    refuse_args = true;
    REFUSED(rt_list_set_float(f.list, RT_VAR_RATE, 2.0f, err), CONVOY_ERROR_DEVICE_MEMORY, "negating: argument 2: clSetKernelArg");
    REFUSED(rt_list_switch(f.list, 1, err), CONVOY_ERROR_DEVICE_MEMORY, "negating: argument 0: clSetKernelArg");
    refuse_args = false;
    OK(rt_list_set_float(f.list, RT_VAR_RATE, 2.0f, err));
    OK(rt_list_switch(f.list, 1, err));
    end(&f);
}

/* A wait that nothing limits is the driver's one call. */
static void test_one_call(void **state)
{
    fixture f;
    float values[LENGTH] = {0};
    rt_event *event;
    (void)state;
    begin(&f);
    looks = 0;
    OK(rt_buffer_write(f.from, 0, values, sizeof values, err));
    OK(rt_list_play(f.list, 0, LAUNCHES, err));
    OK(rt_marker(ctx, &event, err));
    OK(rt_event_wait(ctx, event, err));
    OK(rt_buffer_read(f.to, 0, values, sizeof values, err));
    OK(rt_finish(ctx, err));
    assert_int_equal(looks, 0);
    rt_event_destroy(event);
    end(&f);
}

/* What has failed says why. */
static void test_failed_event(void **state)
{
    rt_event *event;
    (void)state;
    OK(rt_marker(ctx, &event, err));
    event_status = CL_DEVICE_NOT_AVAILABLE;
    REFUSED(rt_event_wait(ctx, event, err), CONVOY_ERROR_DEVICE, "CL_DEVICE_NOT_AVAILABLE (-2)");
    event_status = CL_COMPLETE;
    rt_event_destroy(event);
}

/* ---- with a limit ---- */

static convoy_context *usual;

/* The tests' context becomes one with a limit. */
static void limit(double seconds)
{
    usual = ctx;
    OK(convoy_context_create(&(convoy_context_options){.timeout = seconds}, &ctx, err));
}

static void unlimit(void)
{
    convoy_context_destroy(ctx);
    ctx = usual;
}

/* The first message. */
static void note(void *user, const char *text)
{
    char *first = user;
    if (first[0] == '\0')
        snprintf(first, 1024, "%s", text);
}

/* What can't be released is told: nobody could do anything about it. */
static void test_release(void **state)
{
    char message[1024] = "";
    fixture f;
    (void)state;
    begin(&f);
    convoy_context_on_message(ctx, note, message);
    refuse_release = true;
    end(&f);
    refuse_release = false;
    convoy_context_on_message(ctx, NULL, NULL);
    assert_non_null(strstr(message, "clReleaseKernel: CL_OUT_OF_RESOURCES (-5) on device"));
}

/* What is waited for in front of a release: its failure is told, and no error. */
static void test_settle(void **state)
{
    char message[1024] = "";
    (void)state;
    limit(30.0);
    convoy_context_on_message(ctx, note, message);
    event_status = CL_DEVICE_NOT_AVAILABLE;
    rt_settle(ctx);
    event_status = CL_COMPLETE;
    unlimit();
    assert_non_null(strstr(message, "CL_DEVICE_NOT_AVAILABLE (-2)"));
}

/* A context ends when its queues have: a process may end next, while a driver's threads still compile what was enqueued. */
static void test_end_of_work(void **state)
{
    fixture f;
    (void)state;
    limit(30.0);
    begin(&f);
    OK(rt_list_play(f.list, 0, LAUNCHES, err));
    end(&f);
    finishes = 0;
    unlimit();
    assert_int_equal(finishes, 2); /* of launches, and of copies */
}

/* A long wait is told while it lasts, with what it is for; it is no error. */
static void test_told(void **state)
{
    char message[1024] = "";
    fixture f;
    (void)state;
    limit(2.0); /* told after a quarter */
    begin(&f);
    OK(rt_finish(ctx, err));
    convoy_context_on_message(ctx, note, message); /* not before: on a busy machine compiling takes long enough to be told */
    OK(rt_list_play(f.list, 0, LAUNCHES, err));
    slow = 0.8;
    OK(rt_finish(ctx, err));
    slow = 0.0;
    end(&f);
    unlimit();
    print_message("%s\n", message);
    assert_non_null(strstr(message, "still waiting for all launches after 0."));
    assert_non_null(strstr(message, "2 launches were enqueued before, from that for negating to that for doing it again"));
}

/* A device that never ends: the wait does, and no later one begins. */
static void test_gives_up(void **state)
{
    float values[LENGTH];
    fixture f;
    (void)state;
    limit(0.2);
    begin(&f);
    OK(rt_list_play(f.list, 0, LAUNCHES, err));
    event_status = CL_RUNNING;
    REFUSED(rt_buffer_read(f.to, 0, values, sizeof values, err), CONVOY_ERROR_DEVICE, "gave up waiting to read test after 0.2 seconds");
    event_status = CL_COMPLETE;
    REFUSED(rt_finish(ctx, err), CONVOY_ERROR_DEVICE, "gave up waiting for all launches");
    end(&f);
    unlimit();
}

static void test_fails_within_limit(void **state)
{
    (void)state;
    limit(30.0);
    event_status = CL_DEVICE_NOT_AVAILABLE;
    REFUSED(rt_finish(ctx, err), CONVOY_ERROR_DEVICE, "CL_DEVICE_NOT_AVAILABLE (-2)");
    event_status = CL_COMPLETE;
    OK(rt_finish(ctx, err));
    unlimit();
}

static void test_limits(void **state)
{
    static const char *const wrong[] = {"x", "0", "-1", "30s", "nan", "1e9"};
    convoy_context *other = NULL;
    (void)state;
    REFUSED(convoy_context_create(&(convoy_context_options){.timeout = -1.0}, &other, err), CONVOY_ERROR_ARGUMENT, "timeout: -1");
    REFUSED(convoy_context_create(&(convoy_context_options){.timeout = NAN}, &other, err), CONVOY_ERROR_ARGUMENT, "timeout: nan");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(setenv("CONVOY_TIMEOUT", wrong[i], 1), 0);
        REFUSED(convoy_context_create(NULL, &other, err), CONVOY_ERROR_ARGUMENT, "CONVOY_TIMEOUT: '");
    }
    assert_int_equal(setenv("CONVOY_TIMEOUT", "2.5", 1), 0);
    OK(convoy_context_create(NULL, &other, err));
    assert_true(other->timeout == 2.5);
    convoy_context_destroy(other);
    OK(convoy_context_create(&(convoy_context_options){.timeout = 7.0}, &other, err));
    assert_true(other->timeout == 7.0);
    convoy_context_destroy(other);
    unsetenv("CONVOY_TIMEOUT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_arguments), TEST(test_one_call), TEST(test_failed_event), TEST(test_release), TEST(test_settle),
                                       TEST(test_end_of_work),
                                       TEST(test_told), TEST(test_gives_up), TEST(test_fails_within_limit), TEST(test_limits)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}

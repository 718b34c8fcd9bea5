/* Devices that fail: calls of OpenCL that this program defines itself, in front of the loader's. */
#define _GNU_SOURCE
#include <dlfcn.h>

#include "runtime_fixture.h"

static bool refuse_args; /* clSetKernelArg fails */

CL_API_ENTRY cl_int CL_API_CALL clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size, const void *value)
{
    static cl_int(CL_API_CALL *real)(cl_kernel, cl_uint, size_t, const void *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "clSetKernelArg");
    return refuse_args ? CL_OUT_OF_HOST_MEMORY : real(kernel, index, size, value);
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
    *f = (fixture){.from = make(LENGTH * sizeof(float)), .to = make(LENGTH * sizeof(float)), .list = make_list(1)};
    f->pair[0] = f->pair[1] = f->from;
    for (int i = 0; i < LAUNCHES; i++) {
        rt_launch l = {.label = "negating", .source = "selftest_items", .kernel = "negate", .global = {RT_FIXED(LENGTH)}};
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

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_arguments)};
    return cmocka_run_group_tests(tests, open_device, close_device);
}

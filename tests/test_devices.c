/* Listing and choosing devices, mostly on a fake driver (fake_opencl.c): no machine has all that can go wrong.
 *
 * The OpenCL loader reads its environment once per process, so each question is asked in a child; this process itself
 * never calls OpenCL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "runtime/internal.h"

typedef struct answer {
    int status;       /* of the call, or the exit code of the command */
    char text[16384];
} answer;

/* What a child is to ask. */
typedef struct question {
    const char *fake;        /* FAKE_OPENCL; NULL: the machine's own devices */
    const char *vendors;     /* OCL_ICD_VENDORS; NULL: the fake driver's folder */
    const char *environment; /* CONVOY_DEVICE; NULL: unset */
    const char *selector;
    int (*ask)(const struct question *q, text *out);
} question;

static char vendors_dir[] = "/tmp/convoy-devices-XXXXXX";

static void set_environment(const question *q)
{
    unsetenv("CONVOY_DEVICE");
    if (q->environment != NULL)
        setenv("CONVOY_DEVICE", q->environment, 1);
    if (q->fake == NULL)
        return;
    setenv("FAKE_OPENCL", q->fake, 1);
    setenv("OCL_ICD_VENDORS", q->vendors ? q->vendors : vendors_dir, 1);
    setenv("OCL_ICD_PLATFORM_SORT", "none", 1); /* ocl-icd would put platforms with more devices first */
    unsetenv("OCL_ICD_FILENAMES");
}

static void read_all(int fd, char *out, size_t size)
{
    size_t n = 0;
    ssize_t got;
    while (n + 1 < size && (got = read(fd, out + n, size - 1 - n)) > 0)
        n += (size_t)got;
    out[n] = '\0';
}

static answer *ask(const question *q)
{
    static answer a;
    int ends[2], state;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        text out = {0};
        close(ends[0]);
        set_environment(q);
        int status = q->ask(q, &out);
        for (size_t done = 0; done < out.length;) {
            ssize_t put = write(ends[1], out.data + done, out.length - done);
            if (put <= 0)
                _exit(99);
            done += (size_t)put;
        }
        _exit(status);
    }
    close(ends[1]);
    read_all(ends[0], a.text, sizeof a.text);
    close(ends[0]);
    assert_int_equal(waitpid(child, &state, 0), child);
    assert_true(WIFEXITED(state));
    a.status = WEXITSTATUS(state);
    return &a;
}

static int ask_selection(const question *q, text *out)
{
    convoy_error err = {0};
    convoy_device_info info;
    cl_device_id id = NULL;
    convoy_status status = rt_device_select(q->selector, &id, &info, &err);
    if (status == CONVOY_OK)
        text_add(out, "%d:%d %s", info.platform, info.device, info.name);
    else
        text_add(out, "%s", err.message);
    return (int)status;
}

static int ask_list(const question *q, text *out)
{
    convoy_error err = {0};
    convoy_device_info *d;
    size_t count;
    (void)q;
    convoy_status status = convoy_devices_list(&d, &count, &err);
    if (status != CONVOY_OK) {
        text_add(out, "%s", err.message);
        return (int)status;
    }
    for (size_t i = 0; i < count; i++)
        text_add(out, "%d:%d|%s|%s|%s|%s|%s|%s\n", d[i].platform, d[i].device, convoy_device_type_name(d[i].type),
                 d[i].name, d[i].platform_name, d[i].usable ? "usable" : d[i].rejected,
                 d[i].is_default ? "default" : "", d[i].why_default);
    free(d);
    return 0;
}

/* Runs `convoy devices --json`, or without --json when there is a selector. */
static int ask_command(const question *q, text *out)
{
    char buffer[4096];
    size_t n;
    FILE *pipe = popen(q->selector ? TEST_COMMAND " devices 2>&1" : TEST_COMMAND " devices --json", "r");
    if (pipe == NULL)
        return 98;
    while ((n = fread(buffer, 1, sizeof buffer, pipe)) > 0)
        text_add_bytes(out, buffer, n);
    int state = pclose(pipe);
    return WIFEXITED(state) ? WEXITSTATUS(state) : 97;
}

/* Under oclgrind every process has oclgrind's one device, so the fake driver can't be seen. */
static void skip_under_oclgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    if (preload != NULL && strstr(preload, "oclgrind") != NULL)
        skip();
}

/* ---- choosing ---- */

static void expect_choice(const char *fake, const char *environment, const char *selector, const char *expected)
{
    answer *a = ask(&(question){.fake = fake, .environment = environment, .selector = selector,
                                .ask = ask_selection});
    if (a->status != CONVOY_OK || strncmp(a->text, expected, strlen(expected)) != 0)
        fail_msg("'%s', CONVOY_DEVICE=%s, -d %s: expected %s, got status %d, %s", fake,
                 environment ? environment : "(unset)", selector ? selector : "(none)", expected, a->status, a->text);
}

static void expect_refusal(const char *fake, const char *environment, const char *selector, const char *origin,
                           const char *expected)
{
    answer *a = ask(&(question){.fake = fake, .environment = environment, .selector = selector,
                                .ask = ask_selection});
    if (a->status != CONVOY_ERROR_NO_DEVICE || strncmp(a->text, origin, strlen(origin)) != 0 ||
        strstr(a->text, expected) == NULL)
        fail_msg("'%s', CONVOY_DEVICE=%s, -d %s: expected a refusal '%s ... %s', got status %d, %s", fake,
                 environment ? environment : "(unset)", selector ? selector : "(none)", origin, expected, a->status,
                 a->text);
}

static void test_default_is_fastest_class(void **state)
{
    (void)state;
    skip_under_oclgrind();
    expect_choice("cpu", NULL, NULL, "0:0");
    expect_choice("cpu;gpu", NULL, NULL, "1:0");
    expect_choice("cpu,accelerator;cpu", NULL, NULL, "0:1");
    expect_choice("accelerator;cpu,gpu,gpu", NULL, NULL, "1:1");
    expect_choice("gpu/nocompiler,cpu", NULL, NULL, "0:1");
    expect_choice("-;!;cpu", NULL, NULL, "2:0");
}

static void test_flag_over_environment_over_default(void **state)
{
    (void)state;
    skip_under_oclgrind();
    expect_choice("gpu,cpu", "0:1", NULL, "0:1");
    expect_choice("gpu,cpu", "0:1", "0:0", "0:0");
    expect_choice("gpu,cpu", "0:1", "", "0:1");
    expect_choice("gpu,cpu", "", NULL, "0:0");
    expect_choice("gpu,cpu", "", "", "0:0");
    expect_choice("gpu,cpu", "nonsense", "0:0", "0:0");
    expect_refusal("gpu,cpu", "nonsense", NULL, "CONVOY_DEVICE 'nonsense'", "no device matches");
    expect_refusal("gpu,cpu", "cpu", "nonsense", "device 'nonsense'", "no device matches");
}

static void test_selectors(void **state)
{
    (void)state;
    skip_under_oclgrind();
    expect_choice("gpu,cpu;cpu", NULL, "1:0", "1:0");
    expect_choice("gpu,cpu", NULL, "gpu", "0:0");
    expect_choice("gpu,cpu", NULL, "CPU", "0:1");
    expect_choice("gpu,accelerator", NULL, "Accelerator", "0:1");
    expect_choice("gpu;cpu", NULL, "model CPU", "1:0");
    expect_choice("gpu;cpu", NULL, "platform b", "1:0");
    expect_choice("gpu,gpu", NULL, "0X", "0:1");
    /* The first one's name is the beginning of the second's; given in full it is not ambiguous. */
    expect_choice("gpu,gpu", NULL, "model gpu 0", "0:0");
    /* Of several matches only one can be used. */
    expect_choice("gpu/nocompiler,gpu", NULL, "gpu", "0:1");
}

static void test_selectors_refused(void **state)
{
    (void)state;
    skip_under_oclgrind();
    const char *option = "device '"; /* of convoy_context_options: the library names no flag */
    expect_refusal("gpu,cpu", NULL, "0", option, "a number alone does not name a device");
    expect_refusal("gpu,cpu", NULL, "560", option, "a number alone does not name a device");
    expect_refusal("gpu,gpu,cpu", NULL, "gpu", option, "2 devices match");
    expect_refusal("gpu,gpu,cpu", NULL, "fake platform", option, "3 devices match");
    expect_refusal("gpu,cpu", NULL, "accelerator", option, "no device matches");
    expect_refusal("gpu,cpu", NULL, "0:2", option, "no device matches");
    expect_refusal("gpu,cpu", NULL, "7:0", option, "no device matches");
    expect_refusal("gpu,cpu", NULL, "0:99999999999999999999", option, "no device matches");
    expect_refusal("gpu,cpu", NULL, "0:-1", option, "no device matches");
    expect_refusal("gpu/nocompiler,cpu", NULL, "gpu", option, "Model gpu 0 can't be used: its driver has no compiler");
    expect_refusal("gpu/old,cpu", NULL, "0:0", option, "OpenCL C 1.1; OpenCL C 1.2 or later is needed");
    expect_refusal("gpu;-", NULL, "platform B", option, "Fake platform B can't be used: the platform has no device");
    /* Every refusal lists what there is. */
    expect_refusal("gpu,cpu", NULL, "x9", option,
                   "\n  0:0  gpu  Model gpu 0 (Fake platform A)\n  0:1  cpu  Model cpu 0X");
}

static void test_nothing_usable(void **state)
{
    (void)state;
    skip_under_oclgrind();
    expect_refusal("-;gpu/unavailable", NULL, NULL, "no usable OpenCL device", "pocl-opencl-icd");
    expect_refusal("-;gpu/unavailable", NULL, NULL, "no usable OpenCL device", "not available");
    char empty[] = "/tmp/convoy-empty-XXXXXX";
    assert_non_null(mkdtemp(empty));
    answer *a = ask(&(question){.fake = "gpu", .vendors = empty, .ask = ask_selection});
    assert_int_equal(a->status, CONVOY_ERROR_NO_DEVICE);
    assert_non_null(strstr(a->text, "pocl-opencl-icd"));
    assert_non_null(strstr(a->text, empty)); /* OCL_ICD_VENDORS hides the system's drivers: say so */
    a = ask(&(question){.fake = "gpu", .vendors = empty, .selector = "gpu", .ask = ask_selection});
    assert_int_equal(a->status, CONVOY_ERROR_NO_DEVICE);
    a = ask(&(question){.fake = "gpu", .vendors = empty, .ask = ask_list});
    assert_int_equal(a->status, CONVOY_OK);
    assert_string_equal(a->text, "");
    rmdir(empty);
}

/* ---- listing ---- */

static void expect_line(const answer *a, const char *expected)
{
    assert_int_equal(a->status, CONVOY_OK);
    if (strstr(a->text, expected) == NULL)
        fail_msg("expected '%s' in\n%s", expected, a->text);
}

static void test_list_says_why_not(void **state)
{
    (void)state;
    skip_under_oclgrind();
    answer *a = ask(&(question){.fake = "gpu/nocompiler,gpu/nolinker,gpu/unavailable,gpu/old,gpu/broken,gpu/big;-;!;"
                                        "cpu/nounits,cpu/nomemory,cpu",
                                .ask = ask_list});
    expect_line(a, "0:0|gpu|Model gpu 0|Fake platform A|its driver has no compiler");
    expect_line(a, "0:1|gpu|Model gpu 0X|Fake platform A|its driver has no linker");
    expect_line(a, "0:2|gpu|Model gpu 0XX|Fake platform A|the driver says that it is not available");
    expect_line(a, "0:3|gpu|Model gpu 0XXX|Fake platform A|it offers OpenCL C 1.1");
    expect_line(a, "0:4|gpu|Model gpu 0XXXX|Fake platform A|broken: clGetDeviceInfo(CL_DEVICE_MAX_COMPUTE_UNITS): "
                   "CL_OUT_OF_RESOURCES (-5)");
    expect_line(a, "0:5|gpu|Model gpu 0XXXXX|Fake platform A|it is big-endian");
    expect_line(a, "1:-1|other||Fake platform B|the platform has no device");
    expect_line(a, "2:-1|other||Fake platform C|broken: clGetDeviceIDs: CL_OUT_OF_HOST_MEMORY (-6)");
    expect_line(a, "3:0|cpu|Model cpu 3|Fake platform D|broken: it says that it has no compute units");
    expect_line(a, "3:1|cpu|Model cpu 3X|Fake platform D|broken: it says that it has no memory");
    expect_line(a, "3:2|cpu|Model cpu 3XX|Fake platform D|usable|default|the only usable device");
}

static void test_list_says_why_default(void **state)
{
    (void)state;
    skip_under_oclgrind();
    question q = {.fake = "cpu,gpu", .ask = ask_list};
    expect_line(ask(&q), "0:1|gpu|Model gpu 0X|Fake platform A|usable|default|the only GPU\n");
    q.fake = "cpu;cpu";
    expect_line(ask(&q),
                "0:0|cpu|Model cpu 0|Fake platform A|usable|default|fastest class here: CPU; the first of 2\n");
    q.environment = "1:0";
    expect_line(ask(&q), "1:0|cpu|Model cpu 1|Fake platform B|usable|default|CONVOY_DEVICE=1:0\n");
    q.environment = "cpu";
    answer *a = ask(&q);
    assert_int_equal(a->status, CONVOY_OK);
    assert_null(strstr(a->text, "default"));
}

static void test_this_machine(void **state)
{
    (void)state;
    answer *a = ask(&(question){.ask = ask_list});
    expect_line(a, "|usable|default|");
    char listed[64];
    const char *line = strstr(a->text, "|usable|default|");
    while (line > a->text && line[-1] != '\n')
        line--;
    snprintf(listed, sizeof listed, "%.*s", (int)strcspn(line, "|"), line);
    a = ask(&(question){.ask = ask_selection});
    assert_int_equal(a->status, CONVOY_OK);
    assert_int_equal(strncmp(a->text, listed, strlen(listed)), 0);
}

/* ---- the command ---- */

static void test_command_json(void **state)
{
    (void)state;
    skip_under_oclgrind();
    answer *a = ask(&(question){.fake = "gpu/old,cpu;-", .ask = ask_command});
    assert_int_equal(a->status, 0);
    json_error_t error;
    json_t *root = json_loads(a->text, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(root);
    json_t *rows = json_object_get(root, "devices");
    assert_int_equal(json_array_size(rows), 3);
    json_t *old = json_array_get(rows, 0), *cpu = json_array_get(rows, 1), *none = json_array_get(rows, 2);
    assert_string_equal(json_string_value(json_object_get(old, "device")), "0:0");
    assert_true(json_is_false(json_object_get(old, "usable")));
    assert_non_null(strstr(json_string_value(json_object_get(old, "rejected")), "OpenCL C 1.1"));
    assert_string_equal(json_string_value(json_object_get(cpu, "type")), "cpu");
    assert_int_equal(json_integer_value(json_object_get(cpu, "compute_units")), 4);
    assert_int_equal(json_integer_value(json_object_get(cpu, "global_memory")), 1 << 30);
    assert_true(json_is_true(json_object_get(cpu, "default")));
    assert_true(json_is_null(json_object_get(none, "device")));
    assert_string_equal(json_string_value(json_object_get(none, "platform")), "Fake platform B");
    json_decref(root);
}

static void test_command_table(void **state)
{
    (void)state;
    skip_under_oclgrind();
    question q = {.fake = "gpu,cpu/old;-", .selector = "table", .ask = ask_command};
    answer *a = ask(&q);
    expect_line(a, "* 0:0  gpu   Model gpu 0       4  1.0 GiB  1.2     1.0\n");
    expect_line(a, "not usable: it offers OpenCL C 1.1");
    expect_line(a, "Platform 1: Fake platform B\n");
    expect_line(a, "* 0:0 is used unless -d/--device names another (the only usable device).");
    q.environment = "0:0";
    expect_line(ask(&q), "(CONVOY_DEVICE=0:0)");
    q.environment = "nonsense";
    a = ask(&q);
    assert_int_equal(a->status, 2);
    assert_non_null(strstr(a->text, "Model gpu 0"));
    assert_non_null(strstr(a->text, "CONVOY_DEVICE 'nonsense': no device matches"));
}

static int make_vendors(void **state)
{
    char path[64];
    (void)state;
    if (mkdtemp(vendors_dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/fake.icd", vendors_dir);
    return file_write(path, TEST_FAKE_OPENCL "\n", sizeof TEST_FAKE_OPENCL, NULL) == CONVOY_OK ? 0 : -1;
}

static int remove_vendors(void **state)
{
    char path[64];
    (void)state;
    snprintf(path, sizeof path, "%s/fake.icd", vendors_dir);
    unlink(path);
    return rmdir(vendors_dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_is_fastest_class),
        cmocka_unit_test(test_flag_over_environment_over_default),
        cmocka_unit_test(test_selectors),
        cmocka_unit_test(test_selectors_refused),
        cmocka_unit_test(test_nothing_usable),
        cmocka_unit_test(test_list_says_why_not),
        cmocka_unit_test(test_list_says_why_default),
        cmocka_unit_test(test_this_machine),
        cmocka_unit_test(test_command_json),
        cmocka_unit_test(test_command_table),
    };
    return cmocka_run_group_tests_name("devices", tests, make_vendors, remove_vendors);
}

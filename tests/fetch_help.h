/* For the tests of fetching: starts the server of fetch_server.py, describes its archives as data sets, looks at what is
 * left on the disk. */
#ifndef TEST_FETCH_HELP_H
#define TEST_FETCH_HELP_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "data/fetch.h"

#define DATA_SIZE 300000

static struct {
    char folder[64]; /* of the archives */
    pid_t process;
    int input; /* the server ends when this closes */
    int port, tls_port;
} server;

static char place[64]; /* a fresh folder for each test */

/* ---- the server ---- */

static inline void run_server(int in, int out)
{
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    execlp(TEST_PYTHON, TEST_PYTHON, TEST_FETCH_SERVER, server.folder, (char *)NULL);
    _exit(127);
}

static inline int start_server(void **state)
{
    int to[2], from[2];
    (void)state;
    strcpy(server.folder, "/tmp/convoy-server-XXXXXX");
    if (mkdtemp(server.folder) == NULL || pipe(to) != 0 || pipe(from) != 0)
        return -1;
    fcntl(to[1], F_SETFD, FD_CLOEXEC); /* nobody else shall hold its input open */
    fcntl(from[0], F_SETFD, FD_CLOEXEC);
    static const char *const variables[] = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY",
                                            "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
                                            "CURL_CA_BUNDLE"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    server.process = fork();
    if (server.process == 0)
        run_server(to[0], from[1]);
    close(to[0]);
    close(from[1]);
    server.input = to[1];
    FILE *said = fdopen(from[0], "r");
    int found = said == NULL ? 0 : fscanf(said, "%d %d", &server.port, &server.tls_port);
    if (said != NULL)
        fclose(said);
    return found == 2 ? 0 : -1;
}

static inline int stop_server(void **state)
{
    char command[128];
    (void)state;
    close(server.input);
    waitpid(server.process, NULL, 0);
    snprintf(command, sizeof command, "rm -rf %s", server.folder);
    return system(command);
}

/* Requests since the last call. */
static inline int count_requests(void)
{
    static const char request[] = "GET /count HTTP/1.0\r\n\r\n";
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)server.port),
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char answer[1024];
    size_t size = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(write(fd, request, sizeof request - 1), sizeof request - 1);
    for (ssize_t n; (n = read(fd, answer + size, sizeof answer - 1 - size)) > 0;)
        size += (size_t)n;
    close(fd);
    answer[size] = '\0';
    const char *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    return atoi(body + 4);
}

/* ---- the archives as data sets ---- */

typedef struct described {
    char part_name[64], digest[96], home[256];
    fetch_set set;
} described;

/* `behaviour`: the first piece of the address; `is_tar`: a tar ball, not one compressed file. */
static inline void describe(described *d, const char *behaviour, const char *archive, bool is_tar, bool sha256)
{
    char path[128], name[64], md5[64], sha[96];
    unsigned long size = 0;
    *d = (described){0};
    snprintf(path, sizeof path, "%s/table", server.folder);
    FILE *table = fopen(path, "r");
    assert_non_null(table);
    while (fscanf(table, "%63s %lu %63s %95s", name, &size, md5, sha) == 4 && strcmp(name, archive) != 0)
        ;
    fclose(table);
    assert_string_equal(name, archive);
    snprintf(d->part_name, sizeof d->part_name, "%s.tar.gz", archive);
    snprintf(d->digest, sizeof d->digest, sha256 ? "sha256:%.80s" : "md5:%.80s", sha256 ? sha : md5);
    snprintf(d->home, sizeof d->home, "http://127.0.0.1:%d/%s/", server.port, behaviour);
    d->set = (fetch_set){.name = "small", .title = "a small set", .home = d->home};
    d->set.parts[0] = (fetch_part){.name = d->part_name, .size = size, .digest = d->digest};
    fetch_part *part = &d->set.parts[0];
    part->folder = is_tar ? "set" : NULL;
    part->files[0] = (fetch_file){.name = "data.bin", .size = DATA_SIZE};
    if (is_tar) {
        part->files[1] = (fetch_file){.name = "names.txt", .size = 1000, .at_most = true};
        part->files[2] = (fetch_file){.name = "readme.html", .size = 1000, .at_most = true, .optional = true};
    }
}

static const fetch_patience impatient = {.tries = 3, .wait = 0.01, .stall_seconds = 2};

/* Fetches into `place`. */
static inline convoy_status get(const described *d, const convoy_fetch_options *options, convoy_error *err)
{
    convoy_fetch_options how = options == NULL ? (convoy_fetch_options){0} : *options;
    convoy_fetch_result result;
    how.folder = place;
    convoy_status status = fetch_get(&d->set, &impatient, &how, &result, err);
    assert_int_equal(status, status == CONVOY_OK ? CONVOY_OK : err->status);
    return status;
}

/* ---- the disk ---- */

static inline int make_place(void **state)
{
    (void)state;
    strcpy(place, "/tmp/convoy-fetch-XXXXXX");
    return mkdtemp(place) == NULL ? -1 : 0;
}

static inline int remove_place(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", place);
    return system(command);
}

/* A path below `place`; each call's text lives for the next three. */
static inline const char *in_place(const char *name)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", place, name);
    return path;
}

/* Entries of a folder; 0 when there is none. */
static inline int entries(const char *folder)
{
    int count = 0;
    DIR *d = opendir(folder);
    if (d == NULL)
        return 0;
    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count - 2; /* . and .. */
}

static inline long size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (long)info.st_size : -1;
}

/* All of the set is there and nothing else. */
static inline void expect_set(int files)
{
    assert_int_equal(size_of(in_place("small/data.bin")), DATA_SIZE);
    assert_int_equal(entries(in_place("small")), files);
    assert_int_equal(entries(place), 1);
}

/* Nothing unpacked is there; what was downloaded may be. */
static inline void expect_no_set(void)
{
    assert_false(file_exists(in_place("small")));
    assert_false(file_exists(in_place("small.part/unpacked")));
    assert_uint_in_range(entries(place), 0, 1);
    assert_int_equal(entries(place), file_is_folder(in_place("small.part")));
}

static inline void expect_message(const convoy_error *err, const char *part)
{
    if (strstr(err->message, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, err->message);
}

#endif

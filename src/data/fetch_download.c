/* Downloads one file by libcurl, and goes on where a broken connection or an earlier run stopped. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "convoy/version.h"
#include "data/fetch.h"

#define MOST_REQUESTS 100 /* for one file, however little each one brings */
#define MOST_REDIRECTS 10
#define CONNECT_SECONDS 30
#define MOST_WAIT 30.0

typedef enum outcome {
    DONE,
    BROKEN, /* the connection: worth another try from here */
    AGAIN,  /* the server can't go on from here: from the start */
    FAILED, /* err is filled */
} outcome;

typedef struct download {
    const fetch_run *run;
    const fetch_part *part;
    const char *url, *path;
    CURL *curl;
    int fd;
    uint64_t have;  /* bytes in the file */
    uint64_t asked; /* where the answer was asked to begin */
    int answers;    /* that the bytes in the file come from */

    /* of the answer that is coming in */
    bool checked;                         /* its header fits */
    bool ranged;                          /* it had a Content-Range: */
    uint64_t range_start, range_total;    /* total 0: not told */
    outcome refused;                      /* why our own callback stopped it; DONE: it did not */
    bool interrupted;
    char trouble[CURL_ERROR_SIZE + 64];
    convoy_error *err;
} download;

/* ---- the file ---- */

static convoy_status open_file(download *d)
{
    struct stat info;
    d->fd = open(d->path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (d->fd < 0 || fstat(d->fd, &info) != 0)
        return base_fail(d->err, CONVOY_ERROR_FILE, "%s: can't write: %s", d->path, strerror(errno));
    d->have = (uint64_t)info.st_size;
    return CONVOY_OK;
}

/* Cuts the file to its first `size` bytes; what is written next goes behind them. */
static convoy_status keep(download *d, uint64_t size)
{
    if (ftruncate(d->fd, (off_t)size) != 0 || lseek(d->fd, (off_t)size, SEEK_SET) < 0)
        return base_fail(d->err, CONVOY_ERROR_FILE, "%s: can't write: %s", d->path, strerror(errno));
    d->have = size;
    d->answers = size > 0;
    return CONVOY_OK;
}

static convoy_status append(download *d, const char *data, size_t count)
{
    while (count > 0) {
        ssize_t n = write(d->fd, data, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return base_fail(d->err, CONVOY_ERROR_FILE,
                             "%s: can't write: %s; make room: the next time goes on from here", d->path,
                             strerror(errno));
        d->have += (uint64_t)n;
        data += n;
        count -= (size_t)n;
    }
    return CONVOY_OK;
}

/* "" where there is nothing: the file is removed then. */
static void describe_kept(const download *d, char *out, size_t size)
{
    if (d->have == 0)
        snprintf(out, size, "%s", "");
    else
        snprintf(out, size, "; %" PRIu64 " of %" PRIu64 " bytes are kept in %s, and the next time goes on from there",
                 d->have, d->part->size, d->path);
}

static convoy_status interrupted(const download *d)
{
    char kept[PATH_MAX + 128];
    describe_kept(d, kept, sizeof kept);
    return base_fail(d->err, CONVOY_ERROR_INTERRUPTED, "%s: interrupted%s", d->part->name, kept);
}

/* ---- the answer ---- */

static outcome another_file(download *d, curl_off_t length)
{
    const char *type = NULL;
    curl_easy_getinfo(d->curl, CURLINFO_CONTENT_TYPE, &type);
    base_fail(d->err, CONVOY_ERROR_FORMAT,
              "%s: not the file that was published: it has %" CURL_FORMAT_CURL_OFF_T " bytes%s%s; %" PRIu64
              " are expected. Does something between here and there answer in its place? option 'mirror' takes it from "
              "elsewhere",
              d->url, length, type == NULL ? "" : " of type ", type == NULL ? "" : type, d->part->size);
    return FAILED;
}

/* Looks at the header when the first byte after it comes: DONE if the bytes can go to the end of the file. */
static outcome check_header(download *d)
{
    long code = 0;
    curl_off_t length = -1;
    curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(d->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    d->checked = true;
    if (code == 206) {
        uint64_t total = d->range_total == 0 ? d->part->size : d->range_total;
        bool fits = d->ranged && d->asked > 0 && d->range_start == d->asked && total == d->part->size &&
                    (length < 0 || (uint64_t)length == d->part->size - d->asked);
        return fits ? DONE : AGAIN;
    }
    if (code != 200 && code != 0) { /* 0: a file:// has no code */
        base_fail(d->err, CONVOY_ERROR_FILE, "%s: the server answers %ld, which is not expected", d->url, code);
        return FAILED;
    }
    if (length >= 0 && (uint64_t)length != d->part->size)
        return another_file(d, length);
    if (d->have > 0) {
        fetch_message(d->run, "%s: the server can't go on from byte %" PRIu64 "; starting again", d->part->name,
                      d->have);
        if (keep(d, 0) != CONVOY_OK)
            return FAILED;
    }
    return DONE;
}

static size_t on_data(char *data, size_t one, size_t count, void *user)
{
    download *d = user;
    (void)one; /* always 1 */
    if (!d->checked) {
        if ((d->refused = check_header(d)) != DONE)
            return 0;
        d->answers++;
    }
    if (count > d->part->size - d->have) {
        base_fail(d->err, CONVOY_ERROR_FORMAT,
                  "%s: not the file that was published: it has more than the %" PRIu64
                  " bytes that are expected; option 'mirror' takes it from elsewhere",
                  d->url, d->part->size);
        d->refused = FAILED;
        (void)keep(d, 0);
        return 0;
    }
    if (append(d, data, count) != CONVOY_OK) {
        d->refused = FAILED;
        return 0;
    }
    return count;
}

/* Each answer of a chain of redirections starts with a status line. */
static size_t on_header(char *line, size_t one, size_t count, void *user)
{
    download *d = user;
    char text[128];
    (void)one;
    snprintf(text, sizeof text, "%.*s", (int)(count < sizeof text ? count : sizeof text - 1), line);
    if (strncmp(text, "HTTP/", 5) == 0) {
        d->ranged = false;
        d->range_total = 0;
    } else if (strncasecmp(text, "content-range:", 14) == 0) {
        uint64_t end;
        d->ranged = sscanf(text + 14, " bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64, &d->range_start, &end,
                           &d->range_total) >= 2;
    }
    return count;
}

static int on_progress(void *user, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    download *d = user;
    (void)total, (void)now, (void)up_total, (void)up_now;
    d->interrupted = d->interrupted || fetch_progress(d->run, "downloading", d->part->name, d->have, d->part->size);
    return d->interrupted;
}

/* ---- one request ---- */

/* As the command curl reads them; libcurl itself does not. */
static void set_certificates(CURL *curl)
{
    const char *file = getenv("CURL_CA_BUNDLE"), *folder = getenv("SSL_CERT_DIR");
    if (file == NULL || *file == '\0')
        file = getenv("SSL_CERT_FILE");
    if (file != NULL && *file != '\0')
        curl_easy_setopt(curl, CURLOPT_CAINFO, file);
    if (folder != NULL && *folder != '\0')
        curl_easy_setopt(curl, CURLOPT_CAPATH, folder);
}

static void set_protocols(CURL *curl)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FILE));
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static convoy_status set_up(download *d)
{
    d->curl = curl_easy_init();
    if (d->curl == NULL || curl_easy_setopt(d->curl, CURLOPT_URL, d->url) != CURLE_OK)
        return OUT_OF_MEMORY(d->err);
    curl_easy_setopt(d->curl, CURLOPT_ERRORBUFFER, d->trouble);
    curl_easy_setopt(d->curl, CURLOPT_USERAGENT, "convoy/" CONVOY_VERSION);
    curl_easy_setopt(d->curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(d->curl, CURLOPT_MAXREDIRS, (long)MOST_REDIRECTS);
    curl_easy_setopt(d->curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(d->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(d->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(d->curl, CURLOPT_LOW_SPEED_TIME, d->run->patience.stall_seconds);
    curl_easy_setopt(d->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(d->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(d->curl, CURLOPT_XFERINFODATA, d);
    curl_easy_setopt(d->curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(d->curl, CURLOPT_WRITEDATA, d);
    curl_easy_setopt(d->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(d->curl, CURLOPT_HEADERDATA, d);
    set_protocols(d->curl);
    set_certificates(d->curl);
    return CONVOY_OK;
}

/* What may go better the next time. */
static bool is_passing(CURLcode code, long answer)
{
    switch (code) {
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return true;
    case CURLE_HTTP_RETURNED_ERROR: return answer == 408 || answer == 429 || answer >= 500;
    default: return false;
    }
}

static const char *advice(CURLcode code, long answer)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return "; is this machine on the net? Behind a proxy, set https_proxy and http_proxy; option 'mirror' takes it from "
               "elsewhere";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE: return "; name the certificates to trust in SSL_CERT_FILE";
    case CURLE_HTTP_RETURNED_ERROR:
        return answer == 404 || answer == 410 ? "; it is not there (any more): option 'mirror' takes it from elsewhere"
                                              : "; option 'mirror' takes it from elsewhere";
    default: return "";
    }
}

static outcome failed(download *d, CURLcode code)
{
    long answer = 0;
    curl_easy_getinfo(d->curl, CURLINFO_RESPONSE_CODE, &answer);
    if (d->trouble[0] == '\0')
        snprintf(d->trouble, sizeof d->trouble, "%s", curl_easy_strerror(code));
    if (code == CURLE_RANGE_ERROR || (code == CURLE_HTTP_RETURNED_ERROR && answer == 416 && d->asked > 0))
        return AGAIN;
    if (is_passing(code, answer))
        return BROKEN;
    char kept[PATH_MAX + 128];
    describe_kept(d, kept, sizeof kept);
    base_fail(d->err, CONVOY_ERROR_FILE, "%s: can't download: %s%s%s", d->url, d->trouble, kept, advice(code, answer));
    return FAILED;
}

static outcome request(download *d)
{
    char range[32];
    d->asked = d->have;
    d->checked = d->ranged = false;
    d->range_total = 0;
    d->refused = DONE;
    d->trouble[0] = '\0';
    snprintf(range, sizeof range, "%" PRIu64 "-", d->asked);
    curl_easy_setopt(d->curl, CURLOPT_RANGE, d->asked > 0 ? range : NULL);
    CURLcode code = curl_easy_perform(d->curl);
    if (d->interrupted) {
        (void)interrupted(d); /* it fills what the caller returns */
        return FAILED;
    }
    if (d->refused != DONE)
        return d->refused;
    if (code != CURLE_OK)
        return failed(d, code);
    if (!d->checked) { /* an answer without a body */
        outcome header = check_header(d);
        if (header != DONE)
            return header;
    }
    if (d->have == d->part->size)
        return DONE;
    snprintf(d->trouble, sizeof d->trouble, "the answer ended early");
    return BROKEN;
}

/* ---- request after request ---- */

static convoy_status wait_a_while(download *d, double seconds)
{
    const struct timespec slice = {.tv_nsec = 50000000};
    for (double waited = 0; waited < seconds; waited += 0.05) {
        if (fetch_progress(d->run, "downloading", d->part->name, d->have, d->part->size))
            return interrupted(d);
        nanosleep(&slice, NULL);
    }
    return CONVOY_OK;
}

static convoy_status give_up(download *d, int tries)
{
    char kept[PATH_MAX + 128];
    describe_kept(d, kept, sizeof kept);
    return base_fail(d->err, CONVOY_ERROR_FILE,
                     "%s: can't download: %s; %d tries in a row brought nothing new%s; option 'mirror' takes it from "
                     "elsewhere",
                     d->url, d->trouble, tries, kept);
}

static convoy_status request_until_done(download *d)
{
    uint64_t best = d->have;
    int tries = 0;
    for (int total = 0;; total++) {
        outcome now = request(d);
        if (now == DONE)
            return CONVOY_OK;
        if (now == FAILED)
            return d->err == NULL ? CONVOY_ERROR_FILE : d->err->status;
        if (now == AGAIN) {
            snprintf(d->trouble, sizeof d->trouble, "the server can't go on from byte %" PRIu64, d->have);
            TRY(keep(d, 0));
        }
        tries = d->have > best ? 1 : tries + 1;
        if (d->have > best)
            best = d->have;
        if (tries >= d->run->patience.tries || total >= MOST_REQUESTS)
            return give_up(d, tries);
        fetch_message(d->run, "%s: %s; going on from byte %" PRIu64, d->part->name, d->trouble, d->have);
        double wait = d->run->patience.wait * (double)(1 << (tries - 1));
        TRY(wait_a_while(d, wait < MOST_WAIT ? wait : MOST_WAIT));
    }
}

static convoy_status complete_file(download *d)
{
    uint64_t size = d->part->size;
    bool is_file = strncasecmp(d->url, "file:", 5) == 0;
    TRY(open_file(d));
    TRY(keep(d, d->have > size || (is_file && d->have < size) ? 0 : d->have));
    if (d->have == size)
        return CONVOY_OK;
    TRY(set_up(d));
    return request_until_done(d);
}

convoy_status fetch_download(const fetch_run *run, const fetch_part *part, const char *url, const char *path,
                             bool *mixed, convoy_error *err)
{
    convoy_error own = {0}; /* the steps read its status */
    download d = {.run = run, .part = part, .url = url, .path = path, .fd = -1, .err = err == NULL ? &own : err};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return base_fail(err, CONVOY_ERROR_FILE, "libcurl can't be used: it does not start");
    convoy_status status = complete_file(&d);
    if (status == CONVOY_OK) /* all of it, as the last news; who wants to stop is heard in the next step */
        (void)fetch_progress(run, "downloading", part->name, d.have, part->size);
    *mixed = d.answers > 1 || d.curl == NULL; /* a complete one from an earlier run may be a mixture, too */
    curl_easy_cleanup(d.curl);
    curl_global_cleanup();
    if (d.fd >= 0 && close(d.fd) != 0 && status == CONVOY_OK)
        status = base_fail(err, CONVOY_ERROR_FILE, "%s: can't write: %s", path, strerror(errno));
    if (status != CONVOY_OK && d.fd >= 0 && d.have == 0)
        unlink(path); /* nothing to go on from */
    return status;
}

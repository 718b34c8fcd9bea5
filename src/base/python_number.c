#include "base/python_number.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- repr ---- */

/* Digits and a decimal point for an exponent that Python does not write. */
static void write_plain(const char *digits, int exponent, char *out)
{
    int count = (int)strlen(digits);
    if (exponent < 0) {
        out += sprintf(out, "0.");
        for (int i = -1; i > exponent; i--)
            *out++ = '0';
        strcpy(out, digits);
        return;
    }
    for (int i = 0; i <= exponent || i < count; i++) {
        if (i == exponent + 1)
            *out++ = '.';
        *out++ = i < count ? digits[i] : '0';
    }
    strcpy(out, count <= exponent + 1 ? ".0" : "");
}

static void write_scientific(const char *digits, int exponent, char *out)
{
    *out++ = digits[0];
    if (digits[1] != '\0')
        out += sprintf(out, ".%s", digits + 1);
    sprintf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

const char *python_repr(double value, char out[PYTHON_NUMBER_SIZE])
{
    char text[32], digits[24];
    size_t n = 0;
    if (!isfinite(value))
        return strcpy(out, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, fabs(value));
        if (strtod(text, NULL) == fabs(value))
            break;
    }
    const char *e = strchr(text, 'e');
    for (const char *c = text; c < e; c++)
        if (isdigit((unsigned char)*c))
            digits[n++] = *c;
    digits[n] = '\0';
    int exponent = atoi(e + 1);
    char *at = out;
    if (signbit(value))
        *at++ = '-';
    if (exponent >= -4 && exponent < 16)
        write_plain(digits, exponent, at);
    else
        write_scientific(digits, exponent, at);
    return out;
}

/* ---- str.format ---- */

typedef struct field {
    char name[64];
    bool zeros;
    int width, precision; /* precision -1: none */
    char type;            /* 0: none */
} field;

static const char *read_number(const char *at, int *out)
{
    for (*out = 0; isdigit((unsigned char)*at) && *out < 100; at++)
        *out = *out * 10 + (*at - '0');
    return at;
}

/* Reads "name:spec}"; returns what is behind it, or NULL when it is not well formed. */
static const char *read_field(const char *at, field *f)
{
    size_t n = strcspn(at, ":}{");
    *f = (field){.precision = -1};
    if (n == 0 || n >= sizeof f->name)
        return NULL;
    text_copy(f->name, n + 1, at);
    at += n;
    if (*at == ':') {
        at++;
        f->zeros = *at == '0';
        at = read_number(at, &f->width);
        if (*at == '.') {
            if (!isdigit((unsigned char)at[1]))
                return NULL;
            at = read_number(at + 1, &f->precision);
        }
        if (*at != '}' && *at != '\0')
            f->type = *at++;
    }
    bool known = f->type == '\0' || strchr("dfFeEgG%", f->type) != NULL;
    return *at == '}' && known && f->width < 64 && f->precision < 32 ? at + 1 : NULL;
}

static bool add_number(text *t, const field *f, const python_value *v)
{
    char format[16], number[256], repr[PYTHON_NUMBER_SIZE];
    bool whole = f->type == 'd' || (f->type == '\0' && v->whole);
    if ((f->type == 'd' && !v->whole) || (f->precision >= 0 && (whole || f->type == '\0')))
        return false; /* Python refuses the first two, and the third is a kind of its own */
    if (whole) {
        snprintf(number, sizeof number, f->zeros ? "%0*lld" : "%*lld", f->width, (long long)v->value);
    } else if (f->type == '\0') {
        snprintf(number, sizeof number, "%*s", f->width, python_repr(v->value, repr));
    } else {
        char type = f->type == '%' ? 'f' : f->type;
        double value = f->type == '%' ? v->value * 100 : v->value;
        int width = f->type == '%' && f->width > 0 ? f->width - 1 : f->width;
        snprintf(format, sizeof format, f->zeros ? "%%0*.*%c" : "%%*.*%c", type);
        snprintf(number, sizeof number, format, width, f->precision < 0 ? 6 : f->precision, value);
    }
    text_add(t, "%s%s", number, f->type == '%' ? "%" : "");
    return true;
}

static convoy_status refuse(const char *format, const char *at, const python_value *values, size_t count,
                            convoy_error *err)
{
    text known = {0};
    char *list = NULL;
    for (size_t i = 0; i < count; i++)
        text_add(&known, "%s%s", i ? ", " : "", values[i].name);
    TRY(text_take(&known, &list, err));
    base_fail(err, CONVOY_ERROR_ARGUMENT, "'%.300s', at '%.60s': expected {name}, {name:02d} for a whole number or {name:.2f}; "
              "names known here: %s", format, at, list);
    free(list);
    return CONVOY_ERROR_ARGUMENT;
}

static const python_value *find_value(const char *name, const python_value *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(values[i].name, name) == 0)
            return &values[i];
    return NULL;
}

convoy_status python_format(const char *format, const python_value *values, size_t count, char **out, convoy_error *err)
{
    text t = {0};
    for (const char *at = format; *at != '\0';) {
        size_t plain = strcspn(at, "{}");
        text_add_bytes(&t, at, plain);
        at += plain;
        if (*at == '\0')
            break;
        if (at[0] == at[1]) { /* a doubled brace */
            text_add_bytes(&t, at, 1);
            at += 2;
            continue;
        }
        field f;
        const char *next = *at == '{' ? read_field(at + 1, &f) : NULL;
        const python_value *value = next ? find_value(f.name, values, count) : NULL;
        if (value == NULL || !add_number(&t, &f, value)) {
            text_free(&t);
            return refuse(format, at, values, count, err);
        }
        at = next;
    }
    return text_take(&t, out, err);
}

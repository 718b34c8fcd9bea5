/* A machine with a stack and a memo, as Python's pickletools describes it. Loops through the memo are possible (a list in
 * itself): nothing here walks a value deeper than one level. */
#include "data/pickle.h"

#include <stdlib.h>
#include <string.h>

#define MOST_VALUES ((size_t)1 << 21) /* CIFAR-100 has 200,000 */
#define MOST_MEMO ((size_t)1 << 21)
#define MOST_RANK 4

struct pickle {
    const uint8_t *bytes;
    size_t size, at, opcode_at;
    pickle_value *values; /* the last one made */
    size_t value_count;
    pickle_value **stack;
    size_t depth, stack_capacity;
    size_t *marks;
    size_t mark_count, mark_capacity;
    pickle_value **memo;
    size_t memo_count;
    bool stopped;
};

/* The names that arrays of uint8 are made of. */
enum { RECONSTRUCT, NDARRAY, DTYPE };
static const struct known_name {
    const char *module, *name;
    int id;
} known_names[] = {
    {"numpy.core.multiarray", "_reconstruct", RECONSTRUCT},
    {"numpy._core.multiarray", "_reconstruct", RECONSTRUCT},
    {"numpy", "ndarray", NDARRAY},
    {"numpy", "dtype", DTYPE},
};

/* ---- values ---- */

static convoy_status new_value(pickle *p, pickle_kind kind, pickle_value **out, convoy_error *err)
{
    if (p->value_count++ >= MOST_VALUES)
        return base_fail(err, CONVOY_ERROR_FORMAT, "more than %zu values: not a data set of CIFAR's form", MOST_VALUES);
    pickle_value *value = calloc(1, sizeof *value);
    if (value == NULL)
        return OUT_OF_MEMORY(err);
    value->kind = kind;
    value->next = p->values;
    p->values = value;
    *out = value;
    return CONVOY_OK;
}

/* Doubles an array that is full. */
static convoy_status grow(void *array, size_t count, size_t *capacity, size_t item, convoy_error *err)
{
    if (count < *capacity)
        return CONVOY_OK;
    size_t more = *capacity ? 2 * *capacity : 16;
    void *moved = realloc(*(void **)array, more * item);
    if (moved == NULL)
        return OUT_OF_MEMORY(err);
    *(void **)array = moved;
    *capacity = more;
    return CONVOY_OK;
}

static convoy_status append(pickle_value *list, const pickle_value *item, convoy_error *err)
{
    TRY(grow(&list->items, list->count, &list->capacity, sizeof *list->items, err));
    list->items[list->count++] = item;
    return CONVOY_OK;
}

/* ---- what goes wrong ---- */

static convoy_status fail_damaged(const pickle *p, const char *what, convoy_error *err)
{
    return base_fail(err, CONVOY_ERROR_FORMAT, "a damaged pickle: %s at byte %zu", what, p->opcode_at);
}

/* ---- the text ---- */

static convoy_status take(pickle *p, size_t count, const uint8_t **out, convoy_error *err)
{
    if (count > p->size - p->at)
        return base_fail(err, CONVOY_ERROR_FORMAT, "truncated: %zu bytes are expected at byte %zu of %zu", count, p->at,
                         p->size);
    *out = p->bytes + p->at;
    p->at += count;
    return CONVOY_OK;
}

/* A little-endian number of up to 8 bytes. */
static convoy_status take_number(pickle *p, size_t bytes, uint64_t *out, convoy_error *err)
{
    const uint8_t *at = NULL;
    TRY(take(p, bytes, &at, err));
    *out = 0;
    for (size_t i = 0; i < bytes; i++)
        *out |= (uint64_t)at[i] << (8 * i);
    return CONVOY_OK;
}

static convoy_status take_line(pickle *p, const uint8_t **out, size_t *length, convoy_error *err)
{
    const uint8_t *end = memchr(p->bytes + p->at, '\n', p->size - p->at);
    if (end == NULL)
        return base_fail(err, CONVOY_ERROR_FORMAT, "truncated: a name at byte %zu has no end", p->at);
    *out = p->bytes + p->at;
    *length = (size_t)(end - *out);
    p->at += *length + 1;
    return CONVOY_OK;
}

/* ---- the stack ---- */

static convoy_status push(pickle *p, pickle_value *value, convoy_error *err)
{
    TRY(grow(&p->stack, p->depth, &p->stack_capacity, sizeof *p->stack, err));
    p->stack[p->depth++] = value;
    return CONVOY_OK;
}

static convoy_status push_new(pickle *p, pickle_kind kind, pickle_value **out, convoy_error *err)
{
    TRY(new_value(p, kind, out, err));
    return push(p, *out, err);
}

/* Where the part of the stack begins that may be popped: above the last mark. */
static size_t floor_of(const pickle *p)
{
    return p->mark_count > 0 ? p->marks[p->mark_count - 1] : 0;
}

static convoy_status need(const pickle *p, size_t count, convoy_error *err)
{
    return p->depth - floor_of(p) < count ? fail_damaged(p, "an empty stack", err) : CONVOY_OK;
}

static convoy_status push_mark(pickle *p, convoy_error *err)
{
    TRY(grow(&p->marks, p->mark_count, &p->mark_capacity, sizeof *p->marks, err));
    p->marks[p->mark_count++] = p->depth;
    return CONVOY_OK;
}

/* The first value above the last mark, which is taken away. */
static convoy_status pop_mark(pickle *p, size_t *first, convoy_error *err)
{
    if (p->mark_count == 0)
        return fail_damaged(p, "no mark", err);
    *first = p->marks[--p->mark_count];
    return CONVOY_OK;
}

/* ---- the memo ---- */

static convoy_status remember(pickle *p, uint64_t index, convoy_error *err)
{
    TRY(need(p, 1, err));
    if (index >= MOST_MEMO)
        return fail_damaged(p, "a memo index that is too high", err);
    if (index >= p->memo_count) {
        size_t count = (size_t)index * 2 + 64;
        pickle_value **memo = realloc(p->memo, count * sizeof *memo);
        if (memo == NULL)
            return OUT_OF_MEMORY(err);
        memset(memo + p->memo_count, 0, (count - p->memo_count) * sizeof *memo);
        p->memo = memo;
        p->memo_count = count;
    }
    p->memo[index] = p->stack[p->depth - 1];
    return CONVOY_OK;
}

static convoy_status recall(pickle *p, uint64_t index, convoy_error *err)
{
    if (index >= p->memo_count || p->memo[index] == NULL)
        return fail_damaged(p, "a memo index that was not set", err);
    return push(p, p->memo[index], err);
}

/* ---- opcodes with values ---- */

static convoy_status push_int(pickle *p, pickle_kind kind, int64_t number, convoy_error *err)
{
    pickle_value *value = NULL;
    TRY(push_new(p, kind, &value, err));
    value->integer = number;
    return CONVOY_OK;
}

/* LONG1: two's complement of any length. */
static convoy_status push_long(pickle *p, convoy_error *err)
{
    uint64_t bytes = 0, number = 0;
    TRY(take_number(p, 1, &bytes, err));
    if (bytes > 8)
        return fail_damaged(p, "a number of more than 8 bytes", err);
    TRY(take_number(p, (size_t)bytes, &number, err));
    if (bytes > 0 && bytes < 8 && number >> (8 * bytes - 1))
        number |= ~(uint64_t)0 << (8 * bytes);
    return push_int(p, PICKLE_INT, (int64_t)number, err);
}

static convoy_status push_string(pickle *p, size_t length_bytes, convoy_error *err)
{
    uint64_t length = 0;
    pickle_value *value = NULL;
    TRY(take_number(p, length_bytes, &length, err));
    TRY(push_new(p, PICKLE_STRING, &value, err));
    value->size = (size_t)length;
    return take(p, (size_t)length, &value->bytes, err);
}

static convoy_status push_name(pickle *p, convoy_error *err)
{
    const uint8_t *module = NULL, *name = NULL;
    size_t module_length = 0, name_length = 0;
    TRY(take_line(p, &module, &module_length, err));
    TRY(take_line(p, &name, &name_length, err));
    for (size_t i = 0; i < sizeof known_names / sizeof *known_names; i++) {
        const struct known_name *known = &known_names[i];
        if (strlen(known->module) == module_length && memcmp(known->module, module, module_length) == 0 &&
            strlen(known->name) == name_length && memcmp(known->name, name, name_length) == 0)
            return push_int(p, PICKLE_NAME, known->id, err);
    }
    char shown[80];
    size_t used = 0;
    for (size_t i = 0; i < module_length + 1 + name_length && used < sizeof shown - 1; i++) {
        uint8_t c = i < module_length ? module[i] : i == module_length ? '.' : name[i - module_length - 1];
        shown[used++] = c > 0x20 && c < 0x7f ? (char)c : '?';
    }
    shown[used] = '\0';
    return base_fail(err, CONVOY_ERROR_FORMAT,
                     "the pickle wants to call %s at byte %zu; only dicts, lists, numbers, strings and numpy's arrays of "
                     "uint8 are read, and nothing is called",
                     shown, p->opcode_at);
}

/* ---- containers ---- */

static convoy_status make_tuple(pickle *p, size_t first, convoy_error *err)
{
    pickle_value *tuple = NULL;
    TRY(new_value(p, PICKLE_TUPLE, &tuple, err));
    for (size_t i = first; i < p->depth; i++)
        TRY(append(tuple, p->stack[i], err));
    p->depth = first;
    return push(p, tuple, err);
}

/* Adds what lies above `first` to the list or dict below it. */
static convoy_status add_items(pickle *p, size_t first, pickle_kind kind, convoy_error *err)
{
    if (first == 0 || first <= floor_of(p) || p->stack[first - 1]->kind != kind ||
        (kind == PICKLE_DICT && (p->depth - first) % 2 != 0))
        return fail_damaged(p, "items without their list or dict", err);
    for (size_t i = first; i < p->depth; i++)
        TRY(append(p->stack[first - 1], p->stack[i], err));
    p->depth = first;
    return CONVOY_OK;
}

/* ---- numpy's arrays ---- */

static bool is_text(const pickle_value *value, const char *text)
{
    return value->kind == PICKLE_STRING && value->size == strlen(text) && memcmp(value->bytes, text, value->size) == 0;
}

/* callable(*arguments), for the two that make an array and its type. */
static convoy_status reduce(pickle *p, convoy_error *err)
{
    TRY(need(p, 2, err));
    const pickle_value *arguments = p->stack[p->depth - 1], *callable = p->stack[p->depth - 2];
    if (callable->kind != PICKLE_NAME || arguments->kind != PICKLE_TUPLE || arguments->count == 0)
        return fail_damaged(p, "a call that is none", err);
    pickle_value *made = NULL;
    if (callable->integer == RECONSTRUCT)
        TRY(new_value(p, PICKLE_ARRAY, &made, err));
    else if (callable->integer == DTYPE)
        TRY(new_value(p, PICKLE_DTYPE, &made, err));
    else
        return fail_damaged(p, "a call of something that is no function", err);
    if (made->kind == PICKLE_DTYPE)
        made->integer = is_text(arguments->items[0], "u1") || is_text(arguments->items[0], "|u1");
    p->depth -= 2;
    return push(p, made, err);
}

/* (version, shape, dtype, is_fortran, bytes) */
static convoy_status build_array(pickle *p, pickle_value *array, const pickle_value *state, convoy_error *err)
{
    if (state->kind != PICKLE_TUPLE || state->count != 5)
        return fail_damaged(p, "an array without its five parts", err);
    const pickle_value *shape = state->items[1], *type = state->items[2], *fortran = state->items[3];
    const pickle_value *bytes = state->items[4];
    if (shape->kind != PICKLE_TUPLE || shape->count > MOST_RANK || type->kind != PICKLE_DTYPE ||
        bytes->kind != PICKLE_STRING)
        return fail_damaged(p, "an array without shape, type and bytes", err);
    if (!type->integer)
        return base_fail(err, CONVOY_ERROR_FORMAT, "an array that is not uint8 at byte %zu", p->opcode_at);
    if (fortran->kind != PICKLE_BOOL || fortran->integer)
        return base_fail(err, CONVOY_ERROR_FORMAT, "an array in Fortran's order at byte %zu; C order is expected",
                         p->opcode_at);
    size_t count = 1;
    for (size_t i = 0; i < shape->count; i++) {
        const pickle_value *d = shape->items[i];
        if (d->kind != PICKLE_INT || d->integer < 0 || __builtin_mul_overflow(count, (size_t)d->integer, &count))
            return fail_damaged(p, "an array whose shape is none", err);
        TRY(append(array, d, err));
    }
    if (count != bytes->size)
        return base_fail(err, CONVOY_ERROR_FORMAT, "an array of %zu bytes that has %zu, at byte %zu", count, bytes->size,
                         p->opcode_at);
    array->bytes = bytes->bytes;
    array->size = bytes->size;
    return CONVOY_OK;
}

static convoy_status build(pickle *p, convoy_error *err)
{
    TRY(need(p, 2, err));
    const pickle_value *state = p->stack[p->depth - 1];
    pickle_value *made = p->stack[p->depth - 2];
    if (made->kind == PICKLE_ARRAY && made->bytes == NULL && made->count == 0)
        TRY(build_array(p, made, state, err));
    else if (made->kind != PICKLE_DTYPE || state->kind != PICKLE_TUPLE) /* of a dtype: byte order, which bytes have none of */
        return fail_damaged(p, "a state of something that takes none", err);
    p->depth--;
    return CONVOY_OK;
}

/* ---- the machine ---- */

static convoy_status begin(pickle *p, convoy_error *err)
{
    uint64_t version = 0;
    TRY(take_number(p, 1, &version, err));
    if (version != 2 && version != 3)
        return base_fail(err, CONVOY_ERROR_FORMAT, "a pickle of protocol %u; 2 and 3 are read", (unsigned)version);
    return CONVOY_OK;
}

static convoy_status number_opcode(pickle *p, uint8_t opcode, convoy_error *err)
{
    uint64_t n = 0;
    switch (opcode) {
    case 'K': TRY(take_number(p, 1, &n, err)); return push_int(p, PICKLE_INT, (int64_t)n, err);
    case 'M': TRY(take_number(p, 2, &n, err)); return push_int(p, PICKLE_INT, (int64_t)n, err);
    case 'J': TRY(take_number(p, 4, &n, err)); return push_int(p, PICKLE_INT, (int32_t)(uint32_t)n, err);
    case 'G': TRY(take_number(p, 8, &n, err)); return push_int(p, PICKLE_FLOAT, 0, err);
    case 'q': TRY(take_number(p, 1, &n, err)); return remember(p, n, err);
    case 'r': TRY(take_number(p, 4, &n, err)); return remember(p, n, err);
    case 'h': TRY(take_number(p, 1, &n, err)); return recall(p, n, err);
    case 'j': TRY(take_number(p, 4, &n, err)); return recall(p, n, err);
    case 0x8a: return push_long(p, err);
    default:
        return base_fail(err, CONVOY_ERROR_FORMAT,
                         "not a pickle of CIFAR's form: opcode 0x%02x at byte %zu is none that is read here", opcode,
                         p->opcode_at);
    }
}

static convoy_status tuple_opcode(pickle *p, size_t count, convoy_error *err)
{
    TRY(need(p, count, err));
    return make_tuple(p, p->depth - count, err);
}

static convoy_status marked_opcode(pickle *p, uint8_t opcode, convoy_error *err)
{
    size_t first = 0;
    TRY(pop_mark(p, &first, err));
    if (opcode == 't')
        return make_tuple(p, first, err);
    return add_items(p, first, opcode == 'e' ? PICKLE_LIST : PICKLE_DICT, err);
}

static convoy_status play(pickle *p, uint8_t opcode, convoy_error *err)
{
    pickle_value *value = NULL;
    switch (opcode) {
    case 0x80: return begin(p, err);
    case '}': return push_new(p, PICKLE_DICT, &value, err);
    case ']': return push_new(p, PICKLE_LIST, &value, err);
    case ')': return push_new(p, PICKLE_TUPLE, &value, err);
    case '(': return push_mark(p, err);
    case 'e': case 'u': case 't': return marked_opcode(p, opcode, err);
    case 'a': TRY(need(p, 1, err)); return add_items(p, p->depth - 1, PICKLE_LIST, err);
    case 's': TRY(need(p, 2, err)); return add_items(p, p->depth - 2, PICKLE_DICT, err);
    case 0x85: case 0x86: case 0x87: return tuple_opcode(p, opcode - 0x84u, err);
    case 'N': return push_new(p, PICKLE_NONE, &value, err);
    case 0x88: return push_int(p, PICKLE_BOOL, 1, err);
    case 0x89: return push_int(p, PICKLE_BOOL, 0, err);
    case 'U': case 'C': return push_string(p, 1, err);
    case 'T': case 'X': case 'B': return push_string(p, 4, err);
    case 'c': return push_name(p, err);
    case 'R': return reduce(p, err);
    case 'b': return build(p, err);
    case '.': p->stopped = true; return need(p, 1, err);
    default: return number_opcode(p, opcode, err);
    }
}

static convoy_status run(pickle *p, convoy_error *err)
{
    if (p->size < 2 || p->bytes[0] != 0x80)
        return base_fail(err, CONVOY_ERROR_FORMAT, "not a pickle of protocol 2: it begins with other bytes");
    while (!p->stopped) {
        const uint8_t *opcode = NULL;
        p->opcode_at = p->at;
        TRY(take(p, 1, &opcode, err));
        TRY(play(p, *opcode, err));
    }
    return CONVOY_OK;
}

convoy_status pickle_read(const uint8_t *bytes, size_t size, pickle **out, convoy_error *err)
{
    pickle *p = calloc(1, sizeof *p);
    if (p == NULL)
        return OUT_OF_MEMORY(err);
    p->bytes = bytes;
    p->size = size;
    convoy_status status = run(p, err);
    if (status != CONVOY_OK) {
        pickle_free(p);
        return status;
    }
    *out = p;
    return CONVOY_OK;
}

void pickle_free(pickle *p)
{
    if (p == NULL)
        return;
    for (pickle_value *value = p->values, *next; value != NULL; value = next) {
        next = value->next;
        free(value->items);
        free(value);
    }
    free(p->stack);
    free(p->marks);
    free(p->memo);
    free(p);
}

const pickle_value *pickle_root(const pickle *p)
{
    return p->stack[p->depth - 1];
}

const pickle_value *pickle_get(const pickle_value *dict, const char *key)
{
    if (dict->kind != PICKLE_DICT)
        return NULL;
    for (size_t i = 0; i + 1 < dict->count; i += 2)
        if (is_text(dict->items[i], key))
            return dict->items[i + 1];
    return NULL;
}

const char *pickle_kind_text(const pickle_value *value)
{
    static const char *const texts[] = {"None", "a bool", "a number", "a float", "a string", "a list",
                                        "a tuple", "a dict", "a name", "a dtype", "an array"};
    return value == NULL ? "nothing" : texts[value->kind];
}

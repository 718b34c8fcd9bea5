#include "base/protobuf.h"

#include <string.h>

void proto_little(text *t, uint64_t value, int bytes)
{
    unsigned char out[8];
    for (int i = 0; i < bytes; i++)
        out[i] = (unsigned char)(value >> 8 * i);
    text_add_bytes(t, out, (size_t)bytes);
}

void proto_varint(text *t, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        proto_little(t, (value & 0x7F) | 0x80, 1);
    proto_little(t, value, 1);
}

void proto_double(text *t, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    proto_little(t, bits, 8);
}

void proto_floats(text *t, const float *values, size_t count)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (count > 0)
        text_add_bytes(t, values, count * sizeof *values);
#else
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        proto_little(t, bits, 4);
    }
#endif
}

void proto_key(text *t, int field, int kind) { proto_varint(t, (uint64_t)(field << 3 | kind)); }

void proto_number(text *t, int field, uint64_t value)
{
    proto_key(t, field, PROTO_VARINT);
    proto_varint(t, value);
}

void proto_float(text *t, int field, float value)
{
    proto_key(t, field, PROTO_FIXED32);
    proto_floats(t, &value, 1);
}

void proto_bytes(text *t, int field, const void *bytes, size_t size)
{
    proto_key(t, field, PROTO_BYTES);
    proto_varint(t, size);
    if (size > 0) /* an empty message has no bytes, not even a place for them */
        text_add_bytes(t, bytes, size);
}

void proto_string(text *t, int field, const char *string) { proto_bytes(t, field, string, strlen(string)); }

void proto_message(text *t, int field, text *message)
{
    proto_bytes(t, field, message->data, message->length);
    t->failed |= message->failed;
    text_free(message);
}

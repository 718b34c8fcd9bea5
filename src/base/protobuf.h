/* Protocol buffers as bytes: messages, written field by field into a text. Format: protobuf.dev, "Encoding". */
#ifndef BASE_PROTOBUF_H
#define BASE_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* How a field's value is written. */
enum { PROTO_VARINT = 0, PROTO_FIXED64 = 1, PROTO_BYTES = 2, PROTO_FIXED32 = 5 };

/* Values without a key; what has a fixed size is little endian. */
void proto_little(text *t, uint64_t value, int bytes);
void proto_varint(text *t, uint64_t value);
void proto_double(text *t, double value);
void proto_floats(text *t, const float *values, size_t count);

/* What stands before a value: the field and the kind. */
void proto_key(text *t, int field, int kind);

/* Whole fields. A negative number goes in as its two's complement. */
void proto_number(text *t, int field, uint64_t value);
void proto_float(text *t, int field, float value);
void proto_bytes(text *t, int field, const void *bytes, size_t size);
void proto_string(text *t, int field, const char *string);
/* Puts a message into another as a field and frees it. A failure of the one is a failure of the other. */
void proto_message(text *t, int field, text *message);

#endif

/* record.c: record lines r-<json>*<crc>. */
#include <stdarg.h>

#include "nb_harness.h"

static void record_open(void)
{
    nb_put_text("r-");
    nb_crc = 0xFFFFFFFFu;
}

static void record_close(void)
{
    const uint32_t crc = ~nb_crc;
    nb_put('*');
    nb_put_hex(crc, 8);
    nb_put_end();
}

static void put_array(const uint32_t *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        nb_put(i == 0 ? '[' : ',');
        nb_put_u64(values[i]);
    }
    nb_put(']');
}

static void put_bytes(const uint8_t *data, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        nb_put_hex(data[i], 2);
    }
}

void nb_record(const char *shape, ...)
{
    va_list values;
    va_start(values, shape);
    record_open();
    nb_put('{');
    for (; *shape != '\0'; shape++) {
        if (*shape != '%') {
            nb_put(*shape == '\'' ? '"' : *shape);
            continue;
        }
        switch (*++shape) {
        case 'u':
            nb_put_u64(va_arg(values, uint32_t));
            break;
        case 'i':
            nb_put_i32(va_arg(values, int32_t));
            break;
        case 'q':
            nb_put_u64(va_arg(values, uint64_t));
            break;
        case 'x':
            nb_put_hex(va_arg(values, uint32_t), 8);
            break;
        case 's':
            nb_put_text(va_arg(values, const char *));
            break;
        case 'a': {
            const uint32_t *array = va_arg(values, const uint32_t *);
            put_array(array, va_arg(values, uint32_t));
            break;
        }
        default: { /* 'h' */
            const uint8_t *bytes = va_arg(values, const uint8_t *);
            put_bytes(bytes, va_arg(values, uint32_t));
            break;
        }
        }
    }
    nb_put('}');
    record_close();
    va_end(values);
}

void nb_record_literal(const char *json)
{
    record_open();
    nb_put_text(json);
    record_close();
}

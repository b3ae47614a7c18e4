/* record.c: record lines r-<json>*<crc> and their CRC-32. */
#include <stdarg.h>

#include "nb_harness.h"

uint32_t nb_crc;

/* Two table steps of four bits: 64 bytes of table instead of 1024. Reflected polynomial 0xEDB88320.
 * `state` is inverted, as it runs. */
uint32_t nb_crc_step(uint32_t state, uint8_t byte)
{
    static const uint32_t table[16] = {
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
        0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
        0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
    };
    state ^= byte;
    state = (state >> 4) ^ table[state & 15u];
    return (state >> 4) ^ table[state & 15u];
}

uint32_t nb_crc_of(const uint8_t *data, uint32_t bytes)
{
    uint32_t state = 0xFFFFFFFFu;
    while (bytes != 0) {
        state = nb_crc_step(state, *data++);
        bytes--;
    }
    return ~state;
}

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

/* record.c: record lines r-<json>*<crc> and their CRC-32. */
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

static void key_begin(const char *key)
{
    nb_put_text(",\"");
    nb_put_text(key);
    nb_put_text("\":");
}

void nb_record_begin(const char *type)
{
    record_open();
    nb_put_text("{\"t\":\"");
    nb_put_text(type);
    nb_put('"');
}

void nb_record_u64(const char *key, uint64_t value)
{
    key_begin(key);
    nb_put_u64(value);
}

void nb_record_u32(const char *key, uint32_t value)
{
    nb_record_u64(key, value);
}

void nb_record_i32(const char *key, int32_t value)
{
    key_begin(key);
    nb_put_i32(value);
}

void nb_record_crc(const char *key, uint32_t crc)
{
    key_begin(key);
    nb_put('"');
    nb_put_hex(crc, 8);
    nb_put('"');
}

void nb_record_text(const char *key, const char *text)
{
    key_begin(key);
    nb_put('"');
    nb_put_text(text);
    nb_put('"');
}

void nb_record_array(const char *key, const uint32_t *values, uint32_t count)
{
    key_begin(key);
    for (uint32_t i = 0; i < count; i++) {
        nb_put(i == 0 ? '[' : ',');
        nb_put_u64(values[i]);
    }
    nb_put(']');
}

void nb_record_hex(const char *key, const uint8_t *data, uint32_t bytes)
{
    key_begin(key);
    nb_put('"');
    for (uint32_t i = 0; i < bytes; i++) {
        nb_put_hex(data[i], 2);
    }
    nb_put('"');
}

void nb_record_end(void)
{
    nb_put('}');
    record_close();
}

void nb_record_literal(const char *json)
{
    record_open();
    nb_put_text(json);
    record_close();
}

/* crc.c: CRC-32, of a line as it goes out and of bytes in memory. */
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

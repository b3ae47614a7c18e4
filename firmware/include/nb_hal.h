/* nb_hal.h: what a board offers to the harness. One family in firmware/hal/<family>/ binds it at
 * link time. No function blocks for ever; none allocates; none prints on its own.
 *
 * The family also supplies nb_hal_counter.h with
 *     static inline uint32_t nb_hal_counter(void);
 * the free-running up-counter (wraps at 2^32), readable in one or two instructions, without
 * interrupts. Its unit and frequency stand in board.toml and reach the host through `caps`.
 */
#ifndef NB_HAL_H
#define NB_HAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Clocks, console, counter, marker pins, caches: all that the harness needs. Called once, first. */
void nb_hal_init(void);

/* Send one byte; waits while the transmitter is full. */
void nb_hal_putc(uint8_t byte);

/* The next received byte, or -1 when none is there. Never waits. */
int nb_hal_getc(void);

/* Wait until the last byte sent has left the wire. */
void nb_hal_flush(void);

/* Change the console's speed, in bit/s. False when the hardware cannot (or has no speed at all and
 * the value makes no sense). The caller has flushed. */
bool nb_hal_set_baud(uint32_t baud);

/* Level of the MLPerf timestamp pin: true = high (idle). No effect where there is no such pin. */
void nb_hal_timestamp(bool high);

/* Put the stage code (0..7; 0 = none) on the marker pins. No effect where there are none. */
void nb_hal_marker(uint32_t code);

/* Wait at least `us` microseconds of the board's own time, by the counter. */
void nb_hal_wait_us(uint32_t us);

/* Sleep in the lowest state that keeps RAM and the console, about `ms` milliseconds. False where
 * the board has none (emulators): the caller then reports idle as unavailable. */
bool nb_hal_idle(uint32_t ms);

/* Make what the CPU wrote to [data, data+bytes) visible to an NPU or DMA; and the other way. */
void nb_hal_cache_clean(const void *data, size_t bytes);
void nb_hal_cache_invalidate(void *data, size_t bytes);

/* Restart the board. RAM in section .noinit keeps its content. */
_Noreturn void nb_hal_reset(void);

#endif

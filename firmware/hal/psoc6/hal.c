/* hal.c (psoc6): CY8CPROTO-062-4343W, the Cortex-M4 of its PSoC 6; first_core.c starts it.
 *
 * Clock: IMO 8 MHz times 75, by 2, by 2: 150 MHz from PLL 0, as exact as the IMO (about 2 %).
 * Peripherals and the Cortex-M0+ have half of it.
 * Flash: 5 wait states, as published images have it (the vendor's table asks for 4); 8 KiB of cache
 * for code and constants and its prefetch on, as reset leaves them. RAM: none for the Cortex-M4.
 * Console: SCB5 on P5.0 and P5.1 from the peripherals' clock, bytes in FIFOs.
 * Pins: P9.0 timestamp, P9.1 to P9.3 stage code.
 * Idle: Sleep. The core stops; PLL, RAM and SCB go on. */
#include "nb_hal.h"

#include "nb_board.h"
#include "nb_core.h"
#include "nb_hal_counter.h"
#include "registers.h"

#define ROUNDS 4000000u
#define CONSOLE_HZ (NB_CPU_HZ / 2u)
#define CONSOLE_PORT 5u
#define MARKER_PORT 9u
#define TIMESTAMP 1u
#define CODE_PIN 1u
#define FLASH_WAIT_STATES 5u
#define TX_ROOM 64u /* bytes; the FIFO takes more */
#define OVERSAMPLING_MIN 8u
#define OVERSAMPLING_MAX 16u
#define DIVISOR_MAX 0x10000u

_Static_assert(NB_CPU_HZ == 150000000, "the clock that clock_init sets up");

static void slow_masters_wait(volatile uint32_t *where)
{
    *where = (*where & ~(SLOW_WS | FAST_WS)) | 1u;
}

/* Begins as the boot code leaves it, on whatever clock. Waits first, then the faster clock. */
static void clock_init(void)
{
    slow_masters_wait(&ROM_CTL);
    slow_masters_wait(&RAM0_CTL);
    slow_masters_wait(&RAM1_CTL);
    slow_masters_wait(&RAM2_CTL);
    FLASH_CTL = (FLASH_CTL & ~FLASH_CTL_WS) | FLASH_WAIT_STATES;
    (void)nb_core_poll(&FLASH_CTL, FLASH_CTL_WS, FLASH_WAIT_STATES, ROUNDS);
    CM4_CLOCK_CTL = 0;
    CM0_CLOCK_CTL = CM0_CLOCK_PERI_BY_2;
    if ((CLK_ROOT_SELECT0 & CLK_ROOT_MUX) == 1u) {
        CLK_ROOT_SELECT0 &= ~CLK_ROOT_MUX; /* away from the PLL while it is set up */
    }
    CLK_PATH_SELECT1 = 0;
    CLK_PLL_CONFIG0 &= ~PLL_ENABLE;
    CLK_PLL_CONFIG0 = PLL_75_2_2;
    CLK_PLL_CONFIG0 = PLL_75_2_2 | PLL_ENABLE;
    (void)nb_core_poll(&CLK_PLL_STATUS0, PLL_LOCKED, PLL_LOCKED, ROUNDS);
    CLK_ROOT_SELECT0 = (CLK_ROOT_SELECT0 & ~(CLK_ROOT_MUX | CLK_ROOT_DIV)) | 1u;
}

static void console_init(void)
{
    GPIO_OUT_SET(CONSOLE_PORT) = 3u;
    HSIOM_PORT(CONSOLE_PORT) = (HSIOM_PORT(CONSOLE_PORT) & ~0xFFFFu) | 0x1212u;
    GPIO_CFG(CONSOLE_PORT) = (GPIO_CFG(CONSOLE_PORT) & ~0xFFu) | 0x68u; /* input; strong output */
    PERI_CLOCK_SCB5 = CLOCK_TYPE_16;
    (void)nb_hal_set_baud(NB_CONSOLE_BAUD);
}

/* Levels first, then outputs: timestamp high, code 0. */
static void pins_init(void)
{
    nb_hal_timestamp(true);
    nb_hal_marker(0);
    HSIOM_PORT(MARKER_PORT) &= ~0x1F1F1F1Fu; /* P9.0 to P9.3: GPIO */
    GPIO_CFG(MARKER_PORT) = (GPIO_CFG(MARKER_PORT) & ~0xFFFFu) | 0x6666u;
}

void nb_hal_init(void)
{
    (void)nb_core_init();
    clock_init();
    pins_init();
    console_init();
}

void nb_hal_putc(uint8_t byte)
{
    while ((SCB_TX_FIFO_STATUS & TX_FIFO_USED) >= TX_ROOM) {
    }
    SCB_TX_FIFO_WR = byte;
}

int nb_hal_getc(void)
{
    return (SCB_RX_FIFO_STATUS & RX_FIFO_USED) != 0 ? (int)(SCB_RX_FIFO_RD & 0xFFu) : -1;
}

void nb_hal_flush(void)
{
    while ((SCB_TX_FIFO_STATUS & (TX_FIFO_USED | TX_SHIFTING)) != 0) {
    }
}

static void clock_console(uint32_t divisor)
{
    PERI_DIV_CMD = DIV_CMD_DISABLE | DIV_CMD_TYPE_16;
    PERI_DIV16_0 = (divisor - 1u) << 8;
    PERI_DIV_CMD = DIV_CMD_ENABLE | DIV_CMD_PHASE_NONE | DIV_CMD_TYPE_16;
}

/* Of the samples per bit that the block can take, those that come closest. */
bool nb_hal_set_baud(uint32_t baud)
{
    if (baud == 0 || baud > CONSOLE_HZ / OVERSAMPLING_MIN) {
        return false;
    }
    uint32_t best = 0, best_divisor = 0, smallest = 0xFFFFFFFFu;
    for (uint32_t samples = OVERSAMPLING_MIN; samples <= OVERSAMPLING_MAX; samples++) {
        const uint32_t divisor = (CONSOLE_HZ / samples + baud / 2u) / baud;
        if (divisor == 0 || divisor > DIVISOR_MAX) {
            continue;
        }
        const uint32_t made = CONSOLE_HZ / (samples * divisor);
        const uint32_t off = made > baud ? made - baud : baud - made;
        if (off < smallest) {
            smallest = off;
            best = samples;
            best_divisor = divisor;
        }
    }
    if (best == 0 || smallest > baud / 50u) {
        return false;
    }
    SCB_CTRL = 0;
    clock_console(best_divisor);
    SCB_CTRL = SCB_CTRL_UART_BYTES | (best - 1u);
    SCB_UART_CTRL = 0;
    SCB_UART_TX_CTRL = UART_ONE_STOP_BIT;
    SCB_UART_RX_CTRL = UART_ONE_STOP_BIT | UART_BREAK_10;
    SCB_UART_FLOW_CTRL = 0;
    SCB_TX_CTRL = SCB_EIGHT_BITS;
    SCB_RX_CTRL = SCB_EIGHT_BITS;
    SCB_TX_FIFO_CTRL = SCB_FIFO_CLEAR;
    SCB_RX_FIFO_CTRL = SCB_FIFO_CLEAR;
    SCB_TX_FIFO_CTRL = 0;
    SCB_RX_FIFO_CTRL = 0;
    SCB_CTRL = SCB_CTRL_UART_BYTES | (best - 1u) | SCB_CTRL_ENABLED;
    return true;
}

void nb_hal_timestamp(bool high)
{
    if (high) {
        GPIO_OUT_SET(MARKER_PORT) = TIMESTAMP;
    } else {
        GPIO_OUT_CLR(MARKER_PORT) = TIMESTAMP;
    }
}

/* Bits that fall go first: between two stages the code is a part of both. */
void nb_hal_marker(uint32_t code)
{
    GPIO_OUT_CLR(MARKER_PORT) = (~code & 7u) << CODE_PIN;
    GPIO_OUT_SET(MARKER_PORT) = (code & 7u) << CODE_PIN;
}

_Noreturn void nb_hal_reset(void)
{
    nb_core_reset();
}
